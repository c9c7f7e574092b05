//! Shares of a tensor, copies of them with channels last, and lists of places that belong together.
use crate::kernels::view::{Steps, View};
use std::ops::Range;

/// Part `i` of `parts` of `0..count`, as even as they can be.
pub fn even(i: usize, parts: usize, count: usize) -> Range<usize> {
    i * count / parts..(i + 1) * count / parts
}

/// Taps of so few channels are gathered side by side, up to so many floats a row.
const FEW: usize = 16;
const GATHERED: usize = 512;
pub fn gathers(taps: usize, depth: usize) -> bool {
    taps > 1 && depth < FEW && depth * taps <= GATHERED
}

/// Where each of several pieces of scratch begins, and where the last ends, in floats.
pub fn pieces<const N: usize, const M: usize>(sizes: [usize; N]) -> [usize; M] {
    let mut at = [0; M];
    for (i, size) in sizes.into_iter().enumerate() {
        at[i + 1] = at[i] + size.next_multiple_of(16);
    }
    at
}

/// A tensor's places divided into slabs that near caches hold: several images each, or some rows of one.
#[derive(Clone, Copy)]
pub struct Slabs {
    dims: [usize; 4],
    bands: usize,
    batches: usize,
}
/// Places that a slab aims at.
const PLACES: usize = 768;
impl Slabs {
    pub fn new(dims: [usize; 4]) -> Slabs {
        let [n, _, h, w] = dims;
        let (bands, batches) = match h * w {
            0 => (1, 0),
            places if places > PLACES => (places.div_ceil(PLACES).min(h), n),
            places => (1, n.div_ceil(PLACES / places)),
        };
        Slabs { dims, bands, batches }
    }
    pub fn count(&self) -> usize {
        self.bands * self.batches
    }
    pub fn share(&self, i: usize, channels: Range<usize>) -> Share {
        let [n, _, h, _] = self.dims;
        Share { images: even(i / self.bands, self.batches, n), rows: even(i % self.bands, self.bands, h), channels }
    }
    /// The most images and the most rows of a slab.
    pub fn most(&self) -> (usize, usize) {
        (self.dims[0].div_ceil(self.batches.max(1)), self.dims[2].div_ceil(self.bands))
    }
    pub fn most_places(&self) -> usize {
        let (images, rows) = self.most();
        images * rows * self.dims[3]
    }
}

/// Some images, rows and channels of a tensor.
#[derive(Clone)]
pub struct Share {
    pub images: Range<usize>,
    pub rows: Range<usize>,
    pub channels: Range<usize>,
}

/// Floats with channels side by side: where place (0, 0, 0) would be, and how to get from there to others.
#[derive(Clone, Copy)]
pub struct Place {
    pub at: *mut f32,
    pub steps: Steps,
}

impl Share {
    /// Where the tensor itself has them; `None` where its channels are apart.
    fn itself(&self, view: &View, at: *mut f32) -> Option<Place> {
        let at = at.wrapping_add(self.channels.start * view.by[1]);
        (!view.scattered(self.channels.len())).then_some(Place { at, steps: view.steps() })
    }
    fn copy(&self, view: &View, out: *mut f32) -> Place {
        let w = self.channels.len();
        let h = w * view.dims[3];
        let n = h * self.rows.len();
        Place { at: out.wrapping_sub(self.images.start * n + self.rows.start * h), steps: Steps { n, h, w } }
    }
    /// The share with channels last: the tensor itself where it is so, otherwise a copy in `room`.
    ///
    /// # Safety
    /// The share lies within the tensor at `at`, and `room` has room.
    pub unsafe fn read(&self, view: &View, at: *mut f32, room: *mut f32) -> Place {
        self.itself(view, at).unwrap_or_else(|| {
            // SAFETY: the caller's
            self.each(view, |from, to| unsafe { *room.add(to) = *at.add(from) });
            self.copy(view, room)
        })
    }
    /// Where to write the share with channels last, and whether that is in `room`.
    pub fn write(&self, view: &View, at: *mut f32, room: *mut f32) -> (Place, bool) {
        match self.itself(view, at) {
            Some(place) => (place, false),
            None => (self.copy(view, room), true),
        }
    }
    /// Brings what was written to `room` to the tensor.
    ///
    /// # Safety
    /// As `read`.
    pub unsafe fn unpack(&self, view: &View, at: *mut f32, room: *const f32) {
        // SAFETY: the caller's
        self.each(view, |to, from| unsafe { *at.add(to) = *room.add(from) });
    }
    /// `f(tensor, copy)` for each float.
    #[inline(always)]
    fn each(&self, view: &View, mut f: impl FnMut(usize, usize)) {
        let (channels, width) = (self.channels.len(), view.dims[3]);
        let mut row = 0;
        for n in self.images.clone() {
            for h in self.rows.clone() {
                for (i, c) in self.channels.clone().enumerate() {
                    let start = n * view.by[0] + c * view.by[1] + h * view.by[2];
                    for w in 0..width {
                        f(start + w * view.by[3], (row * width + w) * channels + i);
                    }
                }
                row += 1;
            }
        }
    }
    /// `f` for each place, `width` of them in a row.
    #[inline(always)]
    pub fn places(&self, width: usize, steps: Steps, mut f: impl FnMut(usize)) {
        for n in self.images.clone() {
            for h in self.rows.clone() {
                for w in 0..width {
                    f(n * steps.n + h * steps.h + w * steps.w);
                }
            }
        }
    }
    /// How places of the share, `width` of them in a row, are counted; and the number of the first, from which to count.
    pub fn counting(&self, width: usize) -> (Steps, usize) {
        let n = self.rows.len() * width;
        (Steps { n, h: width, w: 1 }, self.images.start * n + self.rows.start * width)
    }
}

/// Pairs of places, in scratch.
pub struct List {
    at: *mut (usize, usize),
    len: usize,
}
impl List {
    pub fn new(at: *mut f32) -> List {
        List { at: at.cast(), len: 0 }
    }
    /// Floats that so many pairs take.
    pub fn floats(pairs: usize) -> usize {
        pairs * (size_of::<(usize, usize)>() / size_of::<f32>())
    }
    pub fn clear(&mut self) {
        self.len = 0;
    }
    pub fn len(&self) -> usize {
        self.len
    }
    pub fn at(&self) -> *const (usize, usize) {
        self.at
    }
    /// # Safety
    /// There is room for one more.
    #[inline(always)]
    pub unsafe fn push(&mut self, first: usize, second: usize) {
        // SAFETY: the caller's
        unsafe { *self.at.add(self.len) = (first, second) };
        self.len += 1;
    }
}

/// Rows of all taps side by side, `depth` floats each: `pairs(tap, f)` calls `f(row, place)` for what each tap reads; what none
/// reads is 0.
///
/// # Safety
/// `rows` rows have room at `out`, and each place holds `depth` floats `by` apart.
pub unsafe fn gather(
    (rows, taps, depth): (usize, usize, usize),
    (from, by): (*const f32, usize),
    out: *mut f32,
    pairs: impl Fn(usize, &mut dyn FnMut(usize, usize)),
) {
    // SAFETY: the caller's
    unsafe {
        out.write_bytes(0, rows * taps * depth);
        for tap in 0..taps {
            pairs(tap, &mut |row, place| {
                let out = out.add((row * taps + tap) * depth);
                for c in 0..depth {
                    *out.add(c) = *from.add(place + c * by);
                }
            });
        }
    }
}
