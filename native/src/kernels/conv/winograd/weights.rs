//! The gradient of a convolution's weights over transformed tiles: Gᵀ[Σ (Bᵀ x B) ∘ (A g Aᵀ)]G.
use super::grid::{Grid, step};
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

/// Sums are kept in blocks of so many output channels by channels; tiles that are added up before the next sums take their turn.
const BLOCK: usize = 64;
const TILES: usize = 256;
/// Tiles that are added to sums at once, at least: the sums lie farther off than they.
const LEAST: usize = 128;
/// From so many blocks on, a task takes all elements of one: they are brought back while a near cache holds them.
const MANY: usize = 16;

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
        let grid = Grid::new(dy.dims, g.c + g.o, LEAST);
        TiledWeights { x, g: dy, dw, padding: g.windows.padding, grid, tiles }
    }
    fn depth(&self) -> usize {
        self.x.dims[1]
    }
    fn outputs(&self) -> usize {
        self.g.dims[1]
    }
    /// Blocks of output channels, and of channels.
    fn blocks(&self) -> [usize; 2] {
        [self.outputs().div_ceil(BLOCK), self.depth().div_ceil(BLOCK)]
    }
    fn block(&self, i: usize) -> [Range<usize>; 2] {
        let [_, across] = self.blocks();
        let part = |i: usize, count: usize| i * BLOCK..count.min((i + 1) * BLOCK);
        [part(i / across, self.outputs()), part(i % across, self.depth())]
    }
    /// Where in the shared scratch are: transformed tiles of x, of g, the sums; its end.
    fn layout(&self) -> [usize; 4] {
        let most = self.grid.most();
        let [down, across] = self.blocks();
        let sums = down * across * ELEMENTS * BLOCK * BLOCK;
        pieces([most * step(self.depth()), most * step(self.outputs()), sums])
    }
    /// Where in a thread's scratch are: zeros, pairs; its end.
    fn own(&self) -> [usize; 3] {
        pieces([self.depth().max(self.outputs()), List::floats(self.grid.most())])
    }

    /// Adds to a block's sums, or sets them to, one element of the tiles of a chunk multiplied.
    unsafe fn multiply(&self, element: usize, block: usize, pairs: &List, first: bool, [x, g, sums]: [*mut f32; 3]) {
        let [outputs, channels] = self.block(block);
        let sums = sums.wrapping_add((block * ELEMENTS + element) * BLOCK * BLOCK);
        let parts = outputs.len().div_ceil(self.tiles.height());
        let (a, b) = (element * self.outputs() + outputs.start, element * self.depth() + channels.start);
        // SAFETY: rows of transformed tiles, and the sums of this task
        unsafe {
            if first {
                sums.write_bytes(0, BLOCK * BLOCK);
            }
            for from in (0..pairs.len()).step_by(TILES) {
                for column in (0..channels.len()).step_by(self.tiles.width()) {
                    for part in 0..parts {
                        let part = even(part, parts, outputs.len());
                        let tile = Outer {
                            at: pairs.at().add(from),
                            k: TILES.min(pairs.len() - from),
                            a: g.wrapping_add(a + part.start),
                            b: x.wrapping_add(b + column),
                            c: sums.add(part.start * BLOCK + column),
                            c_row: BLOCK,
                            columns: self.tiles.width().min(channels.len() - column),
                        };
                        self.tiles.outer(part.len(), &tile);
                    }
                }
            }
        }
    }

    /// Brings a block's sums to the weights' gradient.
    unsafe fn finish(&self, memory: &Memory, block: usize, all: *mut f32) {
        let transform = sums(Simd::best());
        let [outputs, channels] = self.block(block);
        let [by_o, by_c, by_h, by_w] = self.dw.by;
        let by = [by_c as isize, by_h as isize, by_w as isize];
        for (row, o) in outputs.enumerate() {
            for c in channels.clone().step_by(LANES) {
                let at = self.dw.at(memory).wrapping_add(o * by_o + c * by_c);
                let place = block * ELEMENTS * BLOCK * BLOCK + row * BLOCK + c - channels.start;
                // SAFETY: 16 kernels of the gradient, and the sums of this block
                unsafe { transform(&Taps { at, by, transformed: all.add(place), step: BLOCK * BLOCK }) };
            }
        }
    }
}

impl Kernel for TiledWeights {
    fn scratch(&self, _: usize) -> Scratch {
        Scratch { shared: self.layout()[3] * 4, own: self.own()[2] * 4 }
    }
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let (depth, outputs) = (self.depth(), self.outputs());
        let [x_tiles, g_tiles, sums, _] = self.layout().map(|at| memory.shared.cast::<f32>().wrapping_add(at));
        let [zeros, list, _] = self.own().map(|at| memory.own[worker.index].cast::<f32>().wrapping_add(at));
        let (x, g) = (self.x.at(memory), self.g.at(memory));
        let (input, gradient) = (input(Simd::best()), gradient(Simd::best()));
        let [down, across] = self.blocks();
        let blocks = down * across;
        let chunks = self.grid.chunks();
        // SAFETY (of all of these): the words were checked when they were read, and scratch is as large as asked for
        unsafe { zeros.write_bytes(0, depth.max(outputs)) };
        for chunk in 0..chunks {
            let tiles = self.grid.chunk(chunk);
            worker.each(tiles.len(), |i| unsafe {
                let places = self.grid.read(tiles.start + i, self.padding, &self.x, x, zeros);
                input(&Tile { places, channels: depth, at: x_tiles.add(i * step(depth)) });
                let places = self.grid.written(tiles.start + i, &self.g, g, zeros);
                gradient(&Tile { places, channels: outputs, at: g_tiles.add(i * step(outputs)) });
            });
            let mut pairs = List::new(list);
            (0..tiles.len()).for_each(|i| unsafe { pairs.push(i * step(outputs), i * step(depth)) });
            let at = [x_tiles, g_tiles, sums];
            if blocks < MANY {
                worker.each(blocks * ELEMENTS, |i| unsafe {
                    self.multiply(i % ELEMENTS, i / ELEMENTS, &pairs, chunk == 0, at);
                });
                continue;
            }
            worker.each(blocks, |block| unsafe {
                (0..ELEMENTS).for_each(|element| self.multiply(element, block, &pairs, chunk == 0, at));
                if chunk + 1 == chunks {
                    self.finish(memory, block, sums);
                }
            });
        }
        if blocks < MANY {
            worker.each(blocks, |block| unsafe { self.finish(memory, block, sums) });
        }
    }
}
