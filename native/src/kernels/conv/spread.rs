//! Convolution and the gradient of its input: tap by tap, rows of channels times the tap's weights, added to where the tap leads.
//!
//! Nothing is unrolled in memory: a tile's rows are read where they lie, and pairs that fall outside the image are never made.
//! Each element is summed tap by tap in one order, channel by channel, whatever share of the work it falls into.
use super::geometry::Geometry;
use super::layout::{List, Share, Slabs, even, gather, gathers, pieces};
use super::tile::{MOST, Rows, Tiles};
use crate::kernel::{Kernel, Scratch};
use crate::kernels::view::{Steps, View};
use crate::memory::Memory;
use crate::reader::{Reader, Result};
use crate::team::Worker;
use std::ops::Range;

/// Tasks that a product is divided into at least, where it can be.
const TASKS: usize = 32;
/// Channels of the source that one task packs weights of.
const PACKED: usize = 32;

/// y from x and w, or, turned back, x's gradient from y's and w: what is read, and what is written.
pub struct Spread {
    geometry: Geometry,
    back: bool,
    source: View,
    weights: View,
    target: View,
    tiles: &'static Tiles,
    slabs: Slabs,
    /// Taps in the order in which they are added up, and whether the first leads to every place.
    order: Vec<usize>,
    covers: bool,
}

/// Where in the target, of which group, into which of its columns.
struct Task {
    places: Share,
    group: usize,
    columns: Range<usize>,
}

pub fn forward(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    Ok(Box::new(Spread::read(r, false, Tiles::best())?))
}
pub fn input_gradient(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    Ok(Box::new(Spread::read(r, true, Tiles::best())?))
}

impl Spread {
    /// Sizes, then x, w, y, or, turned back, w, y's gradient, x's.
    pub fn read(r: &mut Reader, back: bool, tiles: &'static Tiles) -> Result<Spread> {
        let geometry = Geometry::read(r)?;
        let (x, w, y) = (geometry.x(), geometry.w(), geometry.y());
        let (source, weights, target) = if back {
            let (w, g) = (View::read(r, w)?, View::read(r, y)?);
            (g, w, View::read_target(r, x)?)
        } else {
            let (x, w) = (View::read(r, x)?, View::read(r, w)?);
            (x, w, View::read_target(r, y)?)
        };
        let order = (0..geometry.windows.taps()).collect();
        let slabs = Slabs::new(target.dims);
        let mut spread = Spread { geometry, back, source, weights, target, tiles, slabs, order, covers: false };
        let [_, _, h, w] = target.dims;
        // a tap leads to each place at most once
        let leads = |&tap: &usize| spread.geometry.windows.reach(tap) == [h, w];
        if let Some(first) = spread.order.iter().position(leads) {
            spread.order.swap(0, first);
            spread.covers = true;
        }
        Ok(spread)
    }

    /// Channels of one group: of a row that is read, and of one that is written.
    fn depth(&self) -> usize {
        self.source.dims[1] / self.geometry.groups
    }
    fn columns(&self) -> usize {
        self.target.dims[1] / self.geometry.groups
    }
    /// Whether a row of the product is all taps at once.
    fn gathers(&self) -> bool {
        gathers(self.geometry.windows.taps(), self.depth())
    }
    fn panels(&self) -> usize {
        self.columns().div_ceil(self.tiles.width())
    }
    /// Parts of a group's columns.
    fn blocks(&self) -> usize {
        TASKS.div_ceil((self.slabs.count() * self.geometry.groups).max(1)).clamp(1, self.panels().max(1))
    }
    fn task(&self, i: usize) -> Task {
        let (blocks, groups) = (self.blocks(), self.geometry.groups);
        let (block, group, slab) = (i % blocks, i / blocks % groups, i / blocks / groups);
        let (panels, width) = (even(block, blocks, self.panels()), self.tiles.width());
        let columns = panels.start * width..(panels.end * width).min(self.columns());
        let first = group * self.columns();
        Task { places: self.slabs.share(slab, first + columns.start..first + columns.end), group, columns }
    }
    /// What a task reads.
    fn read_by(&self, t: &Task) -> Share {
        let windows = &self.geometry.windows;
        let rows = if self.back { windows.reading(&t.places.rows) } else { windows.read_by(&t.places.rows) };
        let first = t.group * self.depth();
        Share { images: t.places.images.clone(), rows, channels: first..first + self.depth() }
    }

    /// Floats of one group's packed weights.
    fn packed(&self) -> usize {
        self.geometry.windows.taps() * self.depth() * self.panels() * self.tiles.width()
    }
    /// Weights as panels: `[panel][tap][channel of the source][column]`, columns side by side and whole vectors of them.
    unsafe fn pack(&self, memory: &Memory, worker: &Worker) {
        let Geometry { groups, windows, .. } = self.geometry;
        let (depth, columns, width, taps) = (self.depth(), self.columns(), self.tiles.width(), windows.taps());
        let [by_o, by_c, by_h, by_w] = self.weights.by;
        let (by_row, by_column) = if self.back { (by_o, by_c) } else { (by_c, by_o) };
        // groups are further output channels
        let by_group = self.geometry.o / groups * by_o;
        let (from, out) = (self.weights.at(memory), memory.shared.cast::<f32>());
        let (panels, goes) = (self.panels(), depth.div_ceil(PACKED));
        worker.each(groups * panels * goes, |i| {
            let (go, panel, group) = (i % goes, i / goes % panels, i / goes / panels);
            let held = width.min(columns - panel * width);
            let row = held.next_multiple_of(self.tiles.lanes);
            for d in go * PACKED..depth.min((go + 1) * PACKED) {
                for tap in 0..taps {
                    let [h, w] = windows.tap(tap);
                    // SAFETY: within the weights, and within the panels
                    unsafe {
                        let from =
                            from.add(group * by_group + panel * width * by_column + d * by_row + h * by_h + w * by_w);
                        let out =
                            out.add(group * self.packed() + panel * width * taps * depth + (tap * depth + d) * row);
                        for column in 0..held {
                            *out.add(column) = *from.add(column * by_column);
                        }
                        for column in held..row {
                            *out.add(column) = 0.0;
                        }
                    }
                }
            }
        });
    }

    /// `f(target, source)` for each pair that `tap` joins in a share of the target.
    #[inline(always)]
    fn pairs(&self, tap: usize, t: &Share, target: Steps, source: Steps, mut f: impl FnMut(usize, usize)) {
        let windows = &self.geometry.windows;
        if self.back {
            let all = 0..windows.windows[0];
            windows.pairs(tap, t.images.clone(), &all, &t.rows, (source, target), |a, b| f(b, a));
        } else {
            let all = 0..windows.image[0];
            windows.pairs(tap, t.images.clone(), &t.rows, &all, (target, source), f);
        }
    }
    /// Where in a thread's scratch (in floats) are: the pairs, gathered rows, a copy of what is read, a copy of what is written; its end.
    fn layout(&self) -> [usize; 5] {
        let (images, rows) = self.slabs.most();
        let (places, windows) = (self.slabs.most_places(), &self.geometry.windows);
        let over = (windows.kernel[0] - 1) * windows.dilation[0];
        let reads = if self.back { (rows + over) / windows.stride[0] + 2 } else { rows * windows.stride[0] + over };
        let read = images * reads.min(self.source.dims[2]) * self.source.dims[3] * self.depth();
        let columns = (self.panels().div_ceil(self.blocks()) * self.tiles.width()).min(self.columns());
        let gathers = self.gathers();
        pieces([
            List::floats(places),
            if gathers { places * windows.taps() * self.depth() } else { 0 },
            if self.source.scattered(self.depth()) && !gathers { read } else { 0 },
            if self.target.scattered(columns) { places * columns } else { 0 },
        ])
    }

    /// One task; `own` is this thread's scratch.
    unsafe fn work(&self, memory: &Memory, t: &Task, own: *mut f32) {
        let [list, gathered, read, written, _] = self.layout().map(|at| own.wrapping_add(at));
        let (source, target) = (self.source.at(memory), self.target.at(memory));
        let (width, taps, to) = (self.target.dims[3], self.geometry.windows.taps(), &t.places);
        let (out, copied) = to.write(&self.target, target, written);
        let mut pairs = List::new(list);
        // SAFETY: places lie within their tensors or copies, and the scratch has room for all of them
        unsafe {
            if self.gathers() {
                let from = source.wrapping_add(t.group * self.depth() * self.source.by[1]);
                let ((steps, first), rows) = (to.counting(width), to.images.len() * to.rows.len() * width);
                gather((rows, taps, self.depth()), (from, self.source.by[1]), gathered, |tap, f| {
                    self.pairs(tap, to, steps, self.source.steps(), |place, from| f(place - first, from));
                });
                let mut row = 0;
                to.places(width, out.steps, |target| {
                    pairs.push(target, row);
                    row += taps * self.depth();
                });
                self.product(memory, t, &pairs, [gathered, out.at], None, false);
            } else {
                let source = self.read_by(t).read(&self.source, source, read);
                if !self.covers {
                    to.places(width, out.steps, |place| out.at.wrapping_add(place).write_bytes(0, t.columns.len()));
                }
                for (i, &tap) in self.order.iter().enumerate() {
                    pairs.clear();
                    self.pairs(tap, to, out.steps, source.steps, |target, source| pairs.push(target, source));
                    self.product(memory, t, &pairs, [source.at, out.at], Some(tap), i > 0 || !self.covers);
                }
            }
            if copied {
                to.unpack(&self.target, target, written);
            }
        }
    }

    /// Rows at `a` times the weights of a tap, or of all of them, into rows at `c`.
    unsafe fn product(
        &self,
        memory: &Memory,
        t: &Task,
        pairs: &List,
        [a, c]: [*mut f32; 2],
        tap: Option<usize>,
        accumulate: bool,
    ) {
        let (depth, taps, width) = (self.depth(), self.geometry.windows.taps(), self.tiles.width());
        let parts = pairs.len().div_ceil(self.tiles.height());
        for column in t.columns.clone().step_by(width) {
            let columns = width.min(t.columns.end - column);
            let row = columns.next_multiple_of(self.tiles.lanes);
            let at = t.group * self.packed() + column * taps * depth + tap.unwrap_or(0) * depth * row;
            let mut tile = Rows {
                a: [a; MOST].map(|a| a.cast_const()),
                c: [c; MOST],
                k: if tap.is_some() { depth } else { taps * depth },
                b: memory.shared.cast::<f32>().wrapping_add(at),
                columns,
                accumulate,
            };
            let c = c.wrapping_add(column - t.columns.start);
            for part in 0..parts {
                let part = even(part, parts, pairs.len());
                for (i, pair) in part.clone().enumerate() {
                    // SAFETY: the list holds as many
                    let (to, from) = unsafe { *pairs.at().add(pair) };
                    (tile.a[i], tile.c[i]) = (a.wrapping_add(from).cast_const(), c.wrapping_add(to));
                }
                // SAFETY: rows of the source and the target, or of copies
                unsafe { self.tiles.rows(part.len(), &tile) };
            }
        }
    }
}

impl Kernel for Spread {
    fn scratch(&self, _: usize) -> Scratch {
        Scratch { shared: self.geometry.groups * self.packed() * 4, own: self.layout()[4] * 4 }
    }
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let tasks = self.slabs.count() * self.geometry.groups * self.blocks();
        // SAFETY: the words were checked when they were read, and scratch is as large as asked for
        unsafe {
            self.pack(memory, worker);
            let own = memory.own[worker.index].cast();
            worker.each(tasks, |i| self.work(memory, &self.task(i), own));
        }
    }
}
