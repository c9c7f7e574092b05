//! Convolution, and the gradient of its input, over transformed tiles.
use super::grid::{Grid, step};
use super::transform::{ELEMENTS, LANES, Taps, Tile, input, output, weights};
use crate::kernel::{Kernel, Scratch};
use crate::kernels::conv::geometry::Geometry;
use crate::kernels::conv::layout::{even, pieces};
use crate::kernels::conv::tile::{MOST, Rows, Tiles};
use crate::kernels::view::View;
use crate::memory::Memory;
use crate::simd::Simd;
use crate::team::Worker;

/// Tiles that are multiplied at once, at least, by weights that lie farther off than they.
const LEAST: usize = 64;
/// Channels whose weights one task transforms.
const CHANNELS: usize = 16;

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
        let grid = Grid::new(target.dims, g.c + g.o, LEAST);
        Tiled { source, weights, target, by, back, padding, grid, tiles }
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
    /// Where in the shared scratch are: transformed weights, transformed tiles, products; its end.
    fn layout(&self) -> [usize; 4] {
        let most = self.grid.most();
        let weights = ELEMENTS * self.depth() * self.panels() * self.tiles.width();
        pieces([weights, most * step(self.depth()), most * step(self.columns())])
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

    /// One element of the tiles of a chunk times the weights, in one panel of columns.
    unsafe fn multiply(&self, tiles: usize, task: usize, [weights, read, products]: [*mut f32; 3]) {
        let (element, panel) = (task / self.panels(), task % self.panels());
        let (depth, columns, width) = (self.depth(), self.columns(), self.tiles.width());
        let first = panel * width;
        let a = read.wrapping_add(element * depth);
        let c = products.wrapping_add(element * columns + first);
        let mut tile = Rows {
            a: [a.cast_const(); MOST],
            c: [c; MOST],
            k: depth,
            b: weights.wrapping_add(element * self.steps().0 + panel * self.steps().1),
            columns: width.min(columns - first),
            accumulate: false,
        };
        let parts = tiles.div_ceil(self.tiles.height());
        for part in 0..parts {
            let part = even(part, parts, tiles);
            for (i, t) in part.clone().enumerate() {
                tile.a[i] = a.wrapping_add(t * step(depth)).cast_const();
                tile.c[i] = c.wrapping_add(t * step(columns));
            }
            // SAFETY: rows of transformed tiles, and a panel of weights
            unsafe { self.tiles.rows(part.len(), &tile) };
        }
    }
}

impl Kernel for Tiled {
    fn scratch(&self, _: usize) -> Scratch {
        Scratch { shared: self.layout()[3] * 4, own: self.depth().max(self.columns()) * 4 }
    }
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let (depth, columns) = (self.depth(), self.columns());
        let [weights, read, products, _] = self.layout().map(|at| memory.shared.cast::<f32>().wrapping_add(at));
        let (source, target) = (self.source.at(memory), self.target.at(memory));
        let beyond = memory.own[worker.index].cast::<f32>();
        let (input, output) = (input(Simd::best()), output(Simd::best()));
        let goes = columns / LANES * depth.div_ceil(CHANNELS);
        // SAFETY (of all of these): the words were checked when they were read, and scratch is as large as asked for
        worker.each(goes, |task| unsafe { self.prepare(memory, task, weights) });
        for chunk in 0..self.grid.chunks() {
            let tiles = self.grid.chunk(chunk);
            // what is read beyond the image is 0; what was written there before is not
            unsafe { beyond.write_bytes(0, depth) };
            worker.each(tiles.len(), |i| unsafe {
                let places = self.grid.read(tiles.start + i, self.padding, &self.source, source, beyond);
                input(&Tile { places, channels: depth, at: read.add(i * step(depth)) });
            });
            worker.each(ELEMENTS * self.panels(), |task| unsafe {
                self.multiply(tiles.len(), task, [weights, read, products]);
            });
            worker.each(tiles.len(), |i| unsafe {
                let places = self.grid.written(tiles.start + i, &self.target, target, beyond);
                output(&Tile { places, channels: columns, at: products.add(i * step(columns)) });
            });
        }
    }
}
