//! Tiles of 2×2 places that a tensor is cut into, and the 4×4 places of another that each of them needs.
use super::transform::{ELEMENTS, LANES, OUT, SIDE};
use crate::kernels::conv::layout::even;
use crate::kernels::view::View;
use std::ops::Range;

/// Tiles that one thread has in work at once: transformed, so many with 64 channels take a third of a megabyte.
pub const TILES: usize = 64;
/// Tiles lie so much farther apart, so that they do not fall together in a cache.
const GAP: usize = 16;

#[derive(Clone, Copy, Debug)]
pub struct Grid {
    images: usize,
    down: usize,
    across: usize,
}

impl Grid {
    /// Over a tensor of images.
    pub fn new([images, _, h, w]: [usize; 4]) -> Grid {
        Grid { images, down: h.div_ceil(OUT), across: w.div_ceil(OUT) }
    }
    pub fn tiles(&self) -> usize {
        self.images * self.down * self.across
    }
    pub fn chunks(&self) -> usize {
        self.tiles().div_ceil(TILES)
    }
    pub fn chunk(&self, i: usize) -> Range<usize> {
        even(i, self.chunks(), self.tiles())
    }
    /// The 2×2 places of a tile in channels that lie side by side; those outside are `beyond`.
    pub fn written(&self, tile: usize, view: &View, at: *mut f32, beyond: *mut f32) -> [*mut f32; ELEMENTS] {
        self.places(tile, OUT, [0, 0], view, at, beyond)
    }
    /// The 4×4 places that a tile needs, the first of them `padding` above and to the left of it.
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
        let mut places = [beyond; ELEMENTS];
        for (i, place) in places[..side * side].iter_mut().enumerate() {
            let row = (first_row + i / side).wrapping_sub(padding[0]);
            let column = (first_column + i % side).wrapping_sub(padding[1]);
            if row < view.dims[2] && column < view.dims[3] {
                *place = at.wrapping_add(image * by_n + row * by_h + column * by_w);
            }
        }
        places
    }
}

/// Floats from one tile to the next in each element of them: an element's tiles are together, as they are multiplied.
pub const fn step(channels: usize) -> usize {
    channels + GAP
}
/// Floats from one element to the next: not whole pages, since a tile's elements are used together.
pub const fn plane(channels: usize) -> usize {
    (TILES * step(channels)).next_multiple_of(1024) + 5 * GAP
}

/// Whether a tensor's channels lie side by side and fill whole vectors.
pub fn fits(view: &View) -> bool {
    view.by[1] == 1 && view.dims[1].is_multiple_of(LANES)
}
