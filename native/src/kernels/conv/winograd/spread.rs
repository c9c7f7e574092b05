//! Convolution, and the gradient of its input, over transformed tiles.
use super::grid::{Grid, plane, step};
use super::transform::{ELEMENTS, LANES, Taps, Tile, input, output, weights};
use crate::kernel::{Kernel, Scratch};
use crate::kernels::conv::geometry::Geometry;
use crate::kernels::conv::layout::{even, pieces};
use crate::kernels::conv::tile::{MOST, Rows, Tiles};
use crate::kernels::view::View;
use crate::memory::Memory;
use crate::simd::Simd;
use crate::team::Worker;
use std::ops::Range;

/// Channels whose weights one task transforms.
const CHANNELS: usize = 16;
/// Columns whose products are brought back before the next are multiplied.
const COLUMNS: usize = 64;
/// Tasks that each thread should find.
const EACH: usize = 3;

pub struct Tiled {
    source: View,
    weights: View,
    target: View,
    /// To the next channel of the source and of the target in the weights; whether taps are in reverse.
    by: [usize; 2],
    back: bool,
    padding: [usize; 2],
    grid: Grid,
    tiles: &'static Tiles,
}

impl Tiled {
    /// As `Spread`: y from x and w, or, turned back, x's gradient from y's and w.
    pub fn new(g: &Geometry, back: bool, [source, weights, target]: [View; 3], tiles: &'static Tiles) -> Tiled {
        let [by_o, by_c, ..] = weights.by;
        let (by, padding) = match back {
            true => ([by_o, by_c], g.windows.padding.map(|p| 2 - p)),
            false => ([by_c, by_o], g.windows.padding),
        };
        Tiled { source, weights, target, by, back, padding, grid: Grid::new(target.dims), tiles }
    }
    fn depth(&self) -> usize {
        self.source.dims[1]
    }
    fn columns(&self) -> usize {
        self.target.dims[1]
    }
    fn panels(&self) -> usize {
        self.columns().div_ceil(self.tiles.width())
    }
    /// Where in a thread's scratch are: zeros, a place to write to that nobody reads, transformed tiles, products; its end.
    fn own(&self) -> [usize; 5] {
        pieces([self.depth(), COLUMNS, ELEMENTS * plane(self.depth()), ELEMENTS * plane(COLUMNS)])
    }
    /// `[element][panel][channel of the source][column]`: from one element to the next, and from one panel to the next.
    fn steps(&self) -> (usize, usize) {
        let panel = self.depth() * self.tiles.width();
        (panel * self.panels(), panel)
    }

    /// Transforms the weights of some channels of the source, in some columns.
    unsafe fn prepare(&self, memory: &Memory, task: usize, out: *mut f32) {
        let transform = weights(Simd::best());
        let goes = self.depth().div_ceil(CHANNELS);
        let (column, go, width) = (task / goes * LANES, task % goes, self.tiles.width());
        let [by_h, by_w] = [self.weights.by[2] as isize, self.weights.by[3] as isize];
        let from = self.weights.at(memory);
        // in reverse the last tap is the first
        let (from, by_h, by_w) =
            if self.back { (from.wrapping_offset(2 * (by_h + by_w)), -by_h, -by_w) } else { (from, by_h, by_w) };
        let by = [self.by[1] as isize, by_h, by_w];
        let mut all = [0.0; ELEMENTS * LANES];
        for d in go * CHANNELS..self.depth().min((go + 1) * CHANNELS) {
            let at = from.wrapping_add(d * self.by[0] + column * self.by[1]);
            // SAFETY: 16 kernels of the weights
            unsafe { transform(&Taps { at, by, transformed: all.as_mut_ptr(), step: LANES }) };
            for (element, lanes) in all.chunks_exact(LANES).enumerate() {
                // a panel is half as wide as these lanes, as wide, or twice
                for (i, part) in lanes.chunks(width).enumerate() {
                    let column = column + i * width;
                    let (panel, row) = (column / width, width.min(self.columns() - column / width * width));
                    let place = element * self.steps().0 + panel * self.steps().1 + d * row + column % width;
                    // SAFETY: within the panel
                    unsafe { out.add(place).copy_from_nonoverlapping(part.as_ptr(), part.len()) };
                }
            }
        }
    }

    /// One element of the tiles of a chunk times the weights, in some columns.
    unsafe fn multiply(
        &self,
        tiles: usize,
        element: usize,
        columns: &Range<usize>,
        [weights, read, products]: [*mut f32; 3],
    ) {
        let (depth, width) = (self.depth(), self.tiles.width());
        let a = read.wrapping_add(element * plane(depth));
        for first in columns.clone().step_by(width) {
            let c = products.wrapping_add(element * plane(COLUMNS) + first - columns.start);
            let mut tile = Rows {
                a: [a.cast_const(); MOST],
                c: [c; MOST],
                k: depth,
                b: weights.wrapping_add(element * self.steps().0 + first / width * self.steps().1),
                columns: width.min(columns.end - first),
                accumulate: false,
            };
            let parts = tiles.div_ceil(self.tiles.height());
            for part in 0..parts {
                let part = even(part, parts, tiles);
                for (i, t) in part.clone().enumerate() {
                    tile.a[i] = a.wrapping_add(t * step(depth)).cast_const();
                    tile.c[i] = c.wrapping_add(t * step(COLUMNS));
                }
                // SAFETY: rows of transformed tiles, and a panel of weights
                unsafe { self.tiles.rows(part.len(), &tile) };
            }
        }
    }

    /// Some tiles of the target, in some blocks of columns. All of it stays with one thread, in the caches near to it.
    unsafe fn share(&self, memory: &Memory, worker: &Worker, tiles: Range<usize>, blocks: Range<usize>) {
        let own = memory.own[worker.index].cast::<f32>();
        let [zeros, beyond, read, products, _] = self.own().map(|at| own.wrapping_add(at));
        let (source, target) = (self.source.at(memory), self.target.at(memory));
        let (input, output) = (input(Simd::best()), output(Simd::best()));
        let weights = memory.shared.cast::<f32>();
        // SAFETY (of all of these): the words were checked when they were read, and scratch is as large as asked for
        for (i, tile) in tiles.clone().enumerate() {
            let places = self.grid.read(tile, self.padding, &self.source, source, zeros);
            let at = read.wrapping_add(i * step(self.depth()));
            unsafe { input(&Tile { places, channels: self.depth(), at, step: plane(self.depth()) }) };
        }
        for block in blocks {
            let columns = block * COLUMNS..self.columns().min((block + 1) * COLUMNS);
            for element in 0..ELEMENTS {
                unsafe { self.multiply(tiles.len(), element, &columns, [weights, read, products]) };
            }
            let target = target.wrapping_add(columns.start);
            for (i, tile) in tiles.clone().enumerate() {
                let places = self.grid.written(tile, &self.target, target, beyond);
                let at = products.wrapping_add(i * step(COLUMNS));
                unsafe { output(&Tile { places, channels: columns.len(), at, step: plane(COLUMNS) }) };
            }
        }
    }
}

impl Kernel for Tiled {
    fn scratch(&self, _: usize) -> Scratch {
        Scratch { shared: ELEMENTS * self.steps().0 * 4, own: self.own()[4] * 4 }
    }
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let (depth, columns) = (self.depth(), self.columns());
        let zeros = memory.own[worker.index].cast::<f32>();
        // SAFETY (of all of these): as in `share`; tasks write to different places
        unsafe { zeros.write_bytes(0, depth) };
        let goes = columns / LANES * depth.div_ceil(CHANNELS);
        worker.each(goes, |task| unsafe { self.prepare(memory, task, memory.shared.cast()) });
        // few tiles of many columns are divided by columns as well: each task transforms its tiles again
        let (chunks, blocks) = (self.grid.chunks(), columns.div_ceil(COLUMNS));
        let splits = (EACH * worker.count).div_ceil(chunks.max(1)).clamp(1, blocks.max(1));
        worker.each(chunks * splits, |task| unsafe {
            self.share(memory, worker, self.grid.chunk(task / splits), even(task % splits, splits, blocks));
        });
    }
}
