//! One product by all threads: B is packed together, then blocks of C are tasks.
use super::parts::Parts;
use super::{DEPTH, HEIGHT, Product, Set, WIDTH, depths};
use crate::kernel::Scratch;
use crate::team::Worker;
use std::ops::Range;

/// Parts of k that are packed at once, and floats of B: what the threads' common cache holds with room to spare.
const DEEP: usize = 4;
/// Less in tests, where a product that takes turns would take minutes.
const PACKED: usize = if cfg!(test) { 1 << 15 } else { 1 << 21 };
/// What a block costs beside its products, in rows for each panel and in columns.
const BESIDE: [usize; 2] = [1, 32];

impl Set {
    /// Columns whose packed B fits the common scratch, for the deepest of the parts of k.
    fn wide(&self, n: usize, k: usize) -> Parts {
        let deepest = k.next_multiple_of(16).clamp(1, DEEP * DEPTH);
        Parts::new(n, self.columns(), PACKED / deepest)
    }

    /// Scratch for `team`: in common, and for each thread.
    pub fn scratch_team(&self, m: usize, n: usize, k: usize) -> Scratch {
        if m <= HEIGHT {
            return Scratch { shared: 0, own: self.scratch_alone(m, n, k) };
        }
        let widest = self.wide(n, k).all().map(|cols| cols.len()).max().unwrap_or(0);
        Scratch { shared: self.padded(widest) * k.min(DEEP * DEPTH) * 4, own: self.strip(m, k) * 4 }
    }

    /// The whole product by all threads, which make this call together; it ends with a barrier. `finish(rows, columns)` is
    /// called for each block of C once it is done, by the thread that has just written it.
    ///
    /// # Safety
    /// The matrices lie in memory as the product says, `c` apart from the others; `shared` and `own` as `scratch_team`.
    pub unsafe fn team(
        &self,
        worker: &Worker,
        p: &Product,
        shared: *mut f32,
        own: *mut f32,
        finish: &dyn Fn(Range<usize>, Range<usize>),
    ) {
        if p.m == 0 || p.n == 0 {
            return worker.barrier();
        }
        if self.is_few(p) {
            // SAFETY: the caller's
            return unsafe { self.few_together(worker, p, own, finish) };
        }
        if p.m <= HEIGHT {
            // one block of rows: each part of B is used once, by whoever packs it
            let across = Parts::new(p.n, self.columns(), (p.n / 16).clamp(64, WIDTH));
            return worker.each(across.parts, |task| {
                let cols = across.at(task);
                // SAFETY: a part of the product, and the scratch has room for that of all of it
                unsafe { self.alone(&p.columns(cols.clone()), own) };
                finish(0..p.m, cols);
            });
        }
        for cols in self.wide(p.n, p.k).all() {
            for deep in Parts::new(depths(p.k).parts, 1, DEEP).all() {
                // SAFETY: the caller's
                unsafe {
                    self.pack_together(worker, p, &deep, &cols, shared);
                    self.multiply_together(worker, p, &deep, &cols, shared, own, finish);
                }
            }
        }
    }

    /// Where the panel of column `at` and of a part of k lies in the common scratch.
    fn panel(&self, p: &Product, deep: &Range<usize>, part: usize, cols: &Range<usize>, at: usize) -> usize {
        let (first, depth) = (depths(p.k).at(deep.start), depths(p.k).at(part));
        (depth.start - first.start) * self.padded(cols.len()) + (at - cols.start) * depth.len()
    }

    unsafe fn pack_together(
        &self,
        worker: &Worker,
        p: &Product,
        deep: &Range<usize>,
        cols: &Range<usize>,
        shared: *mut f32,
    ) {
        // columns that lie in one piece are packed a panel at a time, rows that do a few at a time
        let (wide, high) = if p.b.rows_by == 1 { (self.columns(), DEPTH) } else { (WIDTH, 48) };
        let (across, along) =
            (Parts::new(cols.len(), self.columns(), wide), depths(p.k).at(deep.start).len().div_ceil(high).max(1));
        worker.each(across.parts * deep.len() * along, |task| {
            let part = deep.start + task / along % deep.len();
            let depth = depths(p.k).at(part);
            let here = across.at(task / along / deep.len());
            let here = cols.start + here.start..cols.start + here.end;
            let first = (task % along * high).min(depth.len());
            let chunk = first..(if task % along + 1 == along { depth.len() } else { first + high }).min(depth.len());
            // SAFETY: within B; the scratch has room for every panel
            unsafe {
                self.pack_b(
                    p,
                    depth.clone(),
                    here.clone(),
                    chunk,
                    shared.add(self.panel(p, deep, part, cols, here.start)),
                )
            };
        });
    }

    /// Rows and columns in blocks: those of which the threads are done the soonest, where each takes as many as the others.
    fn blocks(&self, m: usize, n: usize, threads: usize) -> [Parts; 2] {
        let all = [4, 3, 2].into_iter().flat_map(|height| [1, 2, 4].map(|width| (HEIGHT * height / 4, WIDTH / width)));
        let blocks = all.map(|(high, wide)| [Parts::new(m, 1, high), Parts::new(n, self.columns(), wide)]);
        let soon = |[tall, across]: &[Parts; 2]| {
            let (rows, columns) = (m.div_ceil(tall.parts), n.div_ceil(across.parts));
            // whoever is the last is a quarter of a block late
            let turns = (tall.parts * across.parts).div_ceil(threads) * 4 + 1;
            turns * (rows + BESIDE[0] * self.panels_of(rows).parts) * (columns + BESIDE[1])
        };
        blocks.min_by_key(soon).expect("there are some to choose from")
    }

    unsafe fn multiply_together(
        &self,
        worker: &Worker,
        p: &Product,
        deep: &Range<usize>,
        cols: &Range<usize>,
        shared: *mut f32,
        own: *mut f32,
        finish: &dyn Fn(Range<usize>, Range<usize>),
    ) {
        let [tall, across] = self.blocks(p.m, cols.len(), worker.count);
        worker.each(tall.parts * across.parts, |task| {
            let rows = tall.at(task / across.parts);
            let part = across.at(task % across.parts);
            let part = cols.start + part.start..cols.start + part.end;
            for i in deep.clone() {
                // SAFETY: within the product; B was packed before the last barrier, and no other task writes to this block
                unsafe {
                    let b = shared.add(self.panel(p, deep, i, cols, part.start));
                    self.block(p, rows.clone(), part.clone(), depths(p.k).at(i), b, own);
                }
            }
            if deep.end == depths(p.k).parts {
                finish(rows, part);
            }
        });
    }
}
