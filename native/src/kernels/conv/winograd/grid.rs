//! Tiles of 4×4 places that a tensor is cut into, and the 6×6 places of another that each of them needs.
use super::transform::{ELEMENTS, LANES, OUT, SIDE};
use crate::kernels::conv::layout::even;
use crate::kernels::view::View;
use std::ops::Range;

/// Floats of transformed tiles that are in work at once: what a near cache holds.
const FLOATS: usize = 1 << 19;
/// Rows of transformed tiles lie so much farther apart, so that they do not fall together in a cache.
const GAP: usize = 16;

#[derive(Clone, Copy, Debug)]
pub struct Grid {
    images: usize,
    down: usize,
    across: usize,
    /// Tiles that are in work at once.
    most: usize,
}

impl Grid {
    /// Over a tensor of images; tiles of so many channels together are in work at once, at least `least` of them.
    pub fn new([images, _, h, w]: [usize; 4], channels: usize, least: usize) -> Grid {
        Grid {
            images,
            down: h.div_ceil(OUT),
            across: w.div_ceil(OUT),
            most: least.max(FLOATS / (ELEMENTS * channels.max(1))),
        }
    }
    pub fn tiles(&self) -> usize {
        self.images * self.down * self.across
    }
    pub fn chunks(&self) -> usize {
        self.tiles().div_ceil(self.most)
    }
    pub fn chunk(&self, i: usize) -> Range<usize> {
        even(i, self.chunks(), self.tiles())
    }
    /// The most tiles of a chunk.
    pub fn most(&self) -> usize {
        self.tiles().div_ceil(self.chunks().max(1))
    }
    /// The 4×4 places of a tile in channels that lie side by side; those outside are `beyond`.
    pub fn written(&self, tile: usize, view: &View, at: *mut f32, beyond: *mut f32) -> [*mut f32; ELEMENTS] {
        self.places(tile, OUT, [0, 0], view, at, beyond)
    }
    /// The 6×6 places that a tile needs, the first of them `padding` above and to the left of it.
    pub fn read(
        &self,
        tile: usize,
        padding: [usize; 2],
        view: &View,
        at: *mut f32,
        beyond: *mut f32,
    ) -> [*mut f32; ELEMENTS] {
        self.places(tile, SIDE, padding, view, at, beyond)
    }
    fn places(
        &self,
        tile: usize,
        side: usize,
        padding: [usize; 2],
        view: &View,
        at: *mut f32,
        beyond: *mut f32,
    ) -> [*mut f32; ELEMENTS] {
        let (image, rest) = (tile / (self.down * self.across), tile % (self.down * self.across));
        let (first_row, first_column) = (rest / self.across * OUT, rest % self.across * OUT);
        let [by_n, _, by_h, by_w] = view.by;
        std::array::from_fn(|i| {
            let row = (first_row + i / side).wrapping_sub(padding[0]);
            let column = (first_column + i % side).wrapping_sub(padding[1]);
            let inside = row < view.dims[2] && column < view.dims[3];
            if inside { at.wrapping_add(image * by_n + row * by_h + column * by_w) } else { beyond }
        })
    }
}

/// Floats from one transformed tile to the next.
pub const fn step(channels: usize) -> usize {
    ELEMENTS * channels + GAP
}

/// Whether a tensor's channels lie side by side and fill whole vectors.
pub fn fits(view: &View) -> bool {
    view.by[1] == 1 && view.dims[1].is_multiple_of(LANES)
}
