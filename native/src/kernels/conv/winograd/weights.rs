//! The gradient of a convolution's weights over transformed tiles: Gᵀ[Σ (Bᵀ x B) ∘ (A g Aᵀ)]G.
use super::grid::{Grid, TILES, plane, step};
use super::transform::{ELEMENTS, LANES, Taps, Tile, gradient, input, sums};
use crate::kernel::{Kernel, Scratch};
use crate::kernels::conv::geometry::Geometry;
use crate::kernels::conv::layout::{List, even, pieces};
use crate::kernels::conv::tile::{Outer, Tiles};
use crate::kernels::view::View;
use crate::memory::Memory;
use crate::simd::Simd;
use crate::team::Worker;
use std::ops::Range;

/// A task has the sums of so many output channels by channels, and transforms their tiles itself.
const BLOCK: usize = 64;
const SUMS: usize = ELEMENTS * BLOCK * BLOCK;
/// Tasks that there should be; where blocks are fewer, each is divided by tiles, whatever the number of threads.
const TASKS: usize = 16;
/// Chunks of tiles in a task, at least.
const CHUNKS: usize = 4;

pub struct TiledWeights {
    x: View,
    g: View,
    dw: View,
    padding: [usize; 2],
    grid: Grid,
    tiles: &'static Tiles,
}

impl TiledWeights {
    pub fn new(g: &Geometry, [x, dy, dw]: [View; 3], tiles: &'static Tiles) -> TiledWeights {
        TiledWeights { x, g: dy, dw, padding: g.windows.padding, grid: Grid::new(dy.dims), tiles }
    }
    /// Blocks of channels, and of both.
    fn blocks(&self) -> (usize, usize) {
        let across = self.x.dims[1].div_ceil(BLOCK);
        (across, self.g.dims[1].div_ceil(BLOCK) * across)
    }
    /// Output channels and channels of a block.
    fn block(&self, i: usize) -> [Range<usize>; 2] {
        let part = |i: usize, count: usize| i * BLOCK..count.min((i + 1) * BLOCK);
        [part(i / self.blocks().0, self.g.dims[1]), part(i % self.blocks().0, self.x.dims[1])]
    }
    /// Parts of the tiles, each with sums of its own.
    fn parts(&self) -> usize {
        TASKS.div_ceil(self.blocks().1.max(1)).clamp(1, self.grid.chunks().div_ceil(CHUNKS).max(1))
    }
    /// Where in a thread's scratch are: zeros, pairs, transformed tiles of x and of g; its end.
    fn own(&self) -> [usize; 5] {
        pieces([BLOCK, List::floats(TILES), ELEMENTS * plane(BLOCK), ELEMENTS * plane(BLOCK)])
    }
    /// The sums of a part of the tiles in a block.
    fn sums(&self, memory: &Memory, block: usize, part: usize) -> *mut f32 {
        memory.shared.cast::<f32>().wrapping_add((block * self.parts() + part) * SUMS)
    }

    /// Adds to a block's sums one element of some tiles multiplied.
    unsafe fn multiply(&self, pairs: &List, [outputs, channels]: [usize; 2], [x, g, sums]: [*mut f32; 3]) {
        let parts = outputs.div_ceil(self.tiles.height());
        for column in (0..channels).step_by(self.tiles.width()) {
            for part in 0..parts {
                let part = even(part, parts, outputs);
                let tile = Outer {
                    at: pairs.at(),
                    k: pairs.len(),
                    a: g.wrapping_add(part.start),
                    b: x.wrapping_add(column),
                    c: sums.wrapping_add(part.start * BLOCK + column),
                    c_row: BLOCK,
                    columns: self.tiles.width().min(channels - column),
                };
                // SAFETY: rows of transformed tiles, and the sums of this task
                unsafe { self.tiles.outer(part.len(), &tile) };
            }
        }
    }

    /// The sums of a part of the tiles in a block. All of it stays with one thread, in the caches near to it.
    unsafe fn share(&self, memory: &Memory, worker: &Worker, block: usize, part: usize) {
        let own = memory.own[worker.index].cast::<f32>();
        let [zeros, list, x_tiles, g_tiles, _] = self.own().map(|at| own.wrapping_add(at));
        let [outputs, channels] = self.block(block);
        let (x, g) = (self.x.at(memory).wrapping_add(channels.start), self.g.at(memory).wrapping_add(outputs.start));
        let (input, gradient) = (input(Simd::best()), gradient(Simd::best()));
        let sums = self.sums(memory, block, part);
        let sizes = [outputs.len(), channels.len()];
        // SAFETY (of all of these): the words were checked when they were read, and scratch is as large as asked for
        unsafe { sums.write_bytes(0, SUMS) };
        for chunk in even(part, self.parts(), self.grid.chunks()) {
            let mut pairs = List::new(list);
            for (i, tile) in self.grid.chunk(chunk).enumerate() {
                let row = i * step(BLOCK);
                let places = self.grid.read(tile, self.padding, &self.x, x, zeros);
                let at = x_tiles.wrapping_add(row);
                unsafe { input(&Tile { places, channels: sizes[1], at, step: plane(BLOCK) }) };
                let places = self.grid.written(tile, &self.g, g, zeros);
                let at = g_tiles.wrapping_add(row);
                unsafe { gradient(&Tile { places, channels: sizes[0], at, step: plane(BLOCK) }) };
                unsafe { pairs.push(row, row) };
            }
            for element in 0..ELEMENTS {
                let [x, g] = [x_tiles, g_tiles].map(|at| at.wrapping_add(element * plane(BLOCK)));
                unsafe { self.multiply(&pairs, sizes, [x, g, sums.wrapping_add(element * BLOCK * BLOCK)]) };
            }
        }
    }

    /// Brings the sums of one output channel in a block to the weights' gradient.
    unsafe fn finish(&self, memory: &Memory, block: usize, row: usize) {
        let transform = sums(Simd::best());
        let [outputs, channels] = self.block(block);
        if row >= outputs.len() {
            return;
        }
        let all = self.sums(memory, block, 0).wrapping_add(row * BLOCK);
        for part in 1..self.parts() {
            let more = self.sums(memory, block, part).wrapping_add(row * BLOCK);
            for place in (0..SUMS).step_by(BLOCK * BLOCK).flat_map(|at| at..at + channels.len()) {
                // SAFETY: one row of each element's sums
                unsafe { *all.add(place) += *more.add(place) };
            }
        }
        let [by_o, by_c, by_h, by_w] = self.dw.by;
        let by = [by_c as isize, by_h as isize, by_w as isize];
        for c in channels.clone().step_by(LANES) {
            let at = self.dw.at(memory).wrapping_add((outputs.start + row) * by_o + c * by_c);
            let transformed = all.wrapping_add(c - channels.start);
            // SAFETY: 16 kernels of the gradient, and their sums
            unsafe { transform(&Taps { at, by, transformed, step: BLOCK * BLOCK }) };
        }
    }
}

impl Kernel for TiledWeights {
    fn scratch(&self, _: usize) -> Scratch {
        Scratch { shared: self.blocks().1 * self.parts() * SUMS * 4, own: self.own()[4] * 4 }
    }
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let (blocks, parts) = (self.blocks().1, self.parts());
        let zeros = memory.own[worker.index].cast::<f32>();
        // SAFETY (of all of these): as in `share`; tasks write to different places
        unsafe { zeros.write_bytes(0, BLOCK) };
        if parts > 1 {
            worker.each(blocks * parts, |task| unsafe { self.share(memory, worker, task / parts, task % parts) });
            return worker.each(blocks * BLOCK, |task| unsafe { self.finish(memory, task / BLOCK, task % BLOCK) });
        }
        worker.each(blocks, |block| unsafe {
            self.share(memory, worker, block, 0);
            (0..BLOCK).for_each(|row| self.finish(memory, block, row));
        });
    }
}
