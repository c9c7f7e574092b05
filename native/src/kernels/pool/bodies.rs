//! The innermost loops of pools: one window in all of its channels, by the vector where they lie side by side.
use crate::simd::versions;

/// One window, cut off where the image ends, in all channels or some.
pub struct Window {
    /// The first place in the image, and in its gradient.
    pub image: *mut f32,
    pub gradient: *mut f32,
    pub pooled: *mut f32,
    pub taps: [usize; 2],
    /// From one row, column and channel of the image to the next; of its gradient; of channels of what is pooled.
    pub by: [usize; 3],
    pub gradient_by: [usize; 3],
    pub pooled_by: usize,
    pub channels: usize,
    /// What each place counts for in the mean.
    pub share: f32,
}

impl Window {
    /// `wide(channel)` for channels by the vector where all lie side by side, `one(channel)` for the others.
    #[inline(always)]
    fn channels(&self, mut wide: impl FnMut(usize), mut one: impl FnMut(usize)) {
        let mut c = 0;
        if self.by[2] == 1 && self.gradient_by[2] == 1 && self.pooled_by == 1 {
            while c + LANES <= self.channels {
                wide(c);
                c += LANES;
            }
        }
        (c..self.channels).for_each(&mut one);
    }
    /// `f(place in the image, place in the gradient)` of each tap, from channel `c` on.
    #[inline(always)]
    fn taps(&self, c: usize, mut f: impl FnMut(*mut f32, *mut f32)) {
        for h in 0..self.taps[0] {
            for w in 0..self.taps[1] {
                let at = |by: &[usize; 3]| h * by[0] + w * by[1] + c * by[2];
                f(self.image.wrapping_add(at(&self.by)), self.gradient.wrapping_add(at(&self.gradient_by)));
            }
        }
    }
    #[inline(always)]
    fn pooled(&self, c: usize) -> *mut f32 {
        self.pooled.wrapping_add(c * self.pooled_by)
    }
}

const LANES: usize = 16;
#[inline(always)]
unsafe fn read<const L: usize>(at: *const f32) -> [f32; L] {
    // SAFETY: the caller's, L floats
    unsafe { at.cast::<[f32; L]>().read_unaligned() }
}
#[inline(always)]
unsafe fn write<const L: usize>(at: *mut f32, values: [f32; L]) {
    // SAFETY: the caller's, L floats
    unsafe { at.cast::<[f32; L]>().write_unaligned(values) }
}

#[inline(always)]
unsafe fn largest_of<const L: usize>(t: &Window, c: usize) {
    // SAFETY: the caller's, L channels
    unsafe {
        let mut best = read::<L>(t.image.wrapping_add(c * t.by[2]));
        t.taps(c, |place, _| {
            let x = read::<L>(place);
            best = std::array::from_fn(|i| if x[i] > best[i] { x[i] } else { best[i] });
        });
        write(t.pooled(c), best);
    }
}
/// The gradient goes to the first of equal ones.
#[inline(always)]
unsafe fn largest_gradient_of<const L: usize>(t: &Window, c: usize) {
    // SAFETY: as above
    unsafe {
        let g = read::<L>(t.pooled(c));
        let mut best = read::<L>(t.image.wrapping_add(c * t.by[2]));
        let (mut first, mut tap) = ([0i32; L], 0);
        t.taps(c, |place, _| {
            let x = read::<L>(place);
            for i in 0..L {
                let more = x[i] > best[i];
                best[i] = if more { x[i] } else { best[i] };
                first[i] = if more { tap } else { first[i] };
            }
            tap += 1;
        });
        tap = 0;
        t.taps(c, |_, place| {
            let old = read::<L>(place);
            write::<L>(place, std::array::from_fn(|i| if first[i] == tap { old[i] + g[i] } else { old[i] }));
            tap += 1;
        });
    }
}
#[inline(always)]
unsafe fn average_of<const L: usize>(t: &Window, c: usize) {
    // SAFETY: as above
    unsafe {
        let mut sum = [0.0; L];
        t.taps(c, |place, _| {
            let x = read::<L>(place);
            sum = std::array::from_fn(|i| sum[i] + x[i]);
        });
        write(t.pooled(c), sum.map(|x: f32| x * t.share));
    }
}
#[inline(always)]
unsafe fn average_gradient_of<const L: usize>(t: &Window, c: usize) {
    // SAFETY: as above
    unsafe {
        let g = read::<L>(t.pooled(c)).map(|g| g * t.share);
        t.taps(c, |_, place| {
            let old = read::<L>(place);
            write::<L>(place, std::array::from_fn(|i| old[i] + g[i]));
        });
    }
}

/// A body for each instruction set, of a function for some channels.
macro_rules! bodies {
    ($($name:ident, $body:ident = $of:ident;)*) => {$(
        #[inline(always)]
        unsafe fn $body<const FMA: bool>(t: &Window) {
            // SAFETY: the caller's: the window lies in its tensors
            t.channels(|c| unsafe { $of::<LANES>(t, c) }, |c| unsafe { $of::<1>(t, c) });
        }
        versions! { pub fn $name(t: &Window) = $body }
    )*};
}
bodies! {
    largest, largest_body = largest_of;
    largest_gradient, largest_gradient_body = largest_gradient_of;
    average, average_body = average_of;
    average_gradient, average_gradient_body = average_gradient_of;
}
