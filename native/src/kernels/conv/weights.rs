//! The gradient of a convolution's weights: for each tap, the sum over its pairs of the output's gradient times what the tap read.
//!
//! The pairs fall into a number of parts that does not depend on the threads; the parts' sums are added in order at the end.
use super::geometry::Geometry;
use super::layout::{List, Share, Slabs, even, gather, gathers, pieces};
use super::tile::{Outer, Tiles};
use crate::kernel::{Kernel, Scratch};
use crate::kernels::view::View;
use crate::memory::Memory;
use crate::reader::{Reader, Result};
use crate::team::Worker;
use std::ops::Range;

/// Pairs that a tile adds up before the next tile takes its turn: their rows stay in the nearest cache.
const PAIRS: usize = 256;
/// Tasks that the work is divided into at least, where it can be; parts at most, and floats for the sums of all of them.
const TASKS: usize = 32;
const PARTS: usize = 16;
const FLOATS: usize = 1 << 21;

/// dw from x and the output's gradient g.
pub struct Weights {
    geometry: Geometry,
    x: View,
    g: View,
    dw: View,
    tiles: &'static Tiles,
    slabs: Slabs,
}

pub fn weight_gradient(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    Ok(Box::new(Weights::read(r, Tiles::best())?))
}

/// Which sum: of which group, from which part of the windows, of which output channels of the group.
struct Task {
    group: usize,
    part: usize,
    outputs: Range<usize>,
}

impl Weights {
    /// Sizes, then x, y's gradient, w's.
    pub fn read(r: &mut Reader, tiles: &'static Tiles) -> Result<Weights> {
        let geometry = Geometry::read(r)?;
        let (x, g) = (View::read(r, geometry.x())?, View::read(r, geometry.y())?);
        let dw = View::read_target(r, geometry.w())?;
        Ok(Weights { geometry, x, g, dw, tiles, slabs: Slabs::new(g.dims) })
    }
    /// Channels of a group, and output channels of a group.
    fn depth(&self) -> usize {
        self.geometry.c / self.geometry.groups
    }
    fn outputs(&self) -> usize {
        self.geometry.o / self.geometry.groups
    }
    /// Whether all taps are columns of one product.
    fn gathers(&self) -> bool {
        gathers(self.geometry.windows.taps(), self.depth())
    }
    /// Floats of the sums of one group.
    fn sums(&self) -> usize {
        self.geometry.windows.taps() * self.outputs() * self.depth()
    }
    /// From one output channel, and from one tap, to the next in the sums; channels lie side by side.
    fn steps(&self) -> (usize, usize) {
        let (taps, depth) = (self.geometry.windows.taps(), self.depth());
        if self.gathers() { (taps * depth, depth) } else { (depth, self.outputs() * depth) }
    }
    /// Parts of the windows, and of a group's output channels.
    fn shares(&self) -> (usize, usize) {
        let groups = self.geometry.groups;
        let room = FLOATS / (groups * self.sums()).max(1);
        let parts = room.min(PARTS).min(self.slabs.count()).max(1);
        let most = self.outputs().div_ceil(self.tiles.height()).max(1);
        (parts, TASKS.div_ceil(parts * groups).clamp(1, most))
    }
    /// Where in a thread's scratch (in floats) are: the pairs, gathered taps, a copy of x, a copy of g; its end.
    fn layout(&self) -> [usize; 5] {
        let (images, rows) = self.slabs.most();
        let (places, windows, gathers) = (self.slabs.most_places(), &self.geometry.windows, self.gathers());
        let reads = rows * windows.stride[0] + (windows.kernel[0] - 1) * windows.dilation[0];
        let read = images * reads.min(self.x.dims[2]) * self.x.dims[3] * self.depth();
        let outputs = self.outputs().div_ceil(self.shares().1);
        pieces([
            List::floats(places),
            if gathers { places * windows.taps() * self.depth() } else { 0 },
            if self.x.scattered(self.depth()) && !gathers { read } else { 0 },
            if self.g.scattered(outputs) { places * outputs } else { 0 },
        ])
    }

    /// One task: its sums, slab by slab.
    unsafe fn work(&self, memory: &Memory, t: &Task, own: *mut f32) {
        let (row, tap_by) = self.steps();
        let sums = memory.shared.cast::<f32>().wrapping_add((t.part * self.geometry.groups + t.group) * self.sums());
        let out = sums.wrapping_add(t.outputs.start * row);
        // SAFETY: the sums of this task
        unsafe {
            for tap in 0..self.sums() / (self.outputs() * row) {
                out.add(tap * tap_by).write_bytes(0, t.outputs.len() * row);
            }
            for slab in even(t.part, self.shares().0, self.slabs.count()) {
                self.slab(memory, t, slab, out, own);
            }
        }
    }

    /// Adds what the windows of a slab multiply to.
    unsafe fn slab(&self, memory: &Memory, t: &Task, slab: usize, out: *mut f32, own: *mut f32) {
        let [list, gathered, x_copy, g_copy, _] = self.layout().map(|at| own.wrapping_add(at));
        let (x, g) = (self.x.at(memory), self.g.at(memory));
        let (windows, depth, first) = (&self.geometry.windows, self.depth(), t.group * self.outputs());
        let (taps, width, all) = (windows.taps(), self.g.dims[3], 0..windows.image[0]);
        let slab = self.slabs.share(slab, first + t.outputs.start..first + t.outputs.end);
        let channels = t.group * depth..(t.group + 1) * depth;
        let mut pairs = List::new(list);
        // SAFETY: places lie within their tensors or copies, and the scratch has room for all of them
        unsafe {
            let g = slab.read(&self.g, g, g_copy);
            if self.gathers() {
                let from = x.wrapping_add(channels.start * self.x.by[1]);
                let ((steps, first), rows) = (slab.counting(width), slab.images.len() * slab.rows.len() * width);
                gather((rows, taps, depth), (from, self.x.by[1]), gathered, |tap, f| {
                    let steps = (steps, self.x.steps());
                    windows.pairs(tap, slab.images.clone(), &slab.rows, &all, steps, |row, from| f(row - first, from));
                });
                let mut row = 0;
                slab.places(width, g.steps, |at| {
                    pairs.push(at, row);
                    row += taps * depth;
                });
                self.product(t, &pairs, (g.at, gathered, out), taps * depth);
            } else {
                let read = Share { images: slab.images.clone(), rows: windows.read_by(&slab.rows), channels };
                let x = read.read(&self.x, x, x_copy);
                for tap in 0..taps {
                    pairs.clear();
                    let steps = (g.steps, x.steps);
                    windows.pairs(tap, slab.images.clone(), &slab.rows, &all, steps, |a, b| pairs.push(a, b));
                    self.product(t, &pairs, (g.at, x.at, out.add(tap * self.steps().1)), depth);
                }
            }
        }
    }

    /// Adds to `c`, rows of output channels by `width` columns, what the pairs of rows at `a` and `b` multiply to.
    unsafe fn product(&self, t: &Task, pairs: &List, (a, b, c): (*mut f32, *mut f32, *mut f32), width: usize) {
        let row = self.steps().0;
        let parts = t.outputs.len().div_ceil(self.tiles.height());
        for from in (0..pairs.len()).step_by(PAIRS) {
            for column in (0..width).step_by(self.tiles.width()) {
                for part in 0..parts {
                    let part = even(part, parts, t.outputs.len());
                    // SAFETY: rows of the tensors or of copies, and sums of this task
                    unsafe {
                        let tile = Outer {
                            at: pairs.at().add(from),
                            k: PAIRS.min(pairs.len() - from),
                            a: a.wrapping_add(part.start),
                            b: b.wrapping_add(column),
                            c: c.add(part.start * row + column),
                            c_row: row,
                            columns: self.tiles.width().min(width - column),
                        };
                        self.tiles.outer(part.len(), &tile);
                    }
                }
            }
        }
    }

    /// The parts' sums added up, of one output channel.
    unsafe fn add_up(&self, memory: &Memory, output: usize) {
        let (groups, (parts, _), (row, tap_by)) = (self.geometry.groups, self.shares(), self.steps());
        let (group, o) = (output / self.outputs(), output % self.outputs());
        let sums = memory.shared.cast::<f32>().wrapping_add(group * self.sums() + o * row);
        let out = self.dw.at(memory).wrapping_add(output * self.dw.by[0]);
        for tap in 0..self.geometry.windows.taps() {
            let [h, w] = self.geometry.windows.tap(tap);
            let out = out.wrapping_add(h * self.dw.by[2] + w * self.dw.by[3]);
            for c in 0..self.depth() {
                // SAFETY: within the sums, and within the gradient
                unsafe {
                    let sums = sums.add(tap * tap_by + c);
                    let mut total = *sums;
                    for part in 1..parts {
                        total += *sums.add(part * groups * self.sums());
                    }
                    *out.add(c * self.dw.by[1]) = total;
                }
            }
        }
    }
}

impl Kernel for Weights {
    fn scratch(&self, _: usize) -> Scratch {
        let (parts, _) = self.shares();
        Scratch { shared: parts * self.geometry.groups * self.sums() * 4, own: self.layout()[4] * 4 }
    }
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let (groups, (parts, blocks)) = (self.geometry.groups, self.shares());
        if self.sums() == 0 {
            return worker.barrier();
        }
        let own = memory.own[worker.index].cast();
        worker.each(groups * parts * blocks, |i| {
            let outputs = even(i % blocks, blocks, self.outputs());
            let task = Task { outputs, group: i / blocks % groups, part: i / blocks / groups };
            // SAFETY: the words were checked when they were read, and scratch is as large as asked for
            unsafe { self.work(memory, &task, own) };
        });
        // SAFETY: as above
        worker.each(self.geometry.o, |output| unsafe { self.add_up(memory, output) });
    }
}
