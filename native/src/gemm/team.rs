//! One product by all threads: B is packed together, then blocks of C are tasks.
use super::parts::Parts;
use super::{Product, Set, WIDTH, depths};
use crate::kernel::Scratch;
use crate::team::Worker;
use std::ops::Range;

/// Rows of one task.
const HEIGHT: usize = 112;
/// Parts of k that are packed at once, and floats of B: what the threads' common cache holds with room to spare.
const DEEP: usize = 4;
const PACKED: usize = 1 << 21;

impl Set {
    /// Columns whose packed B fits the common scratch, for the deepest of the parts of k.
    fn wide(&self, n: usize, k: usize) -> Parts {
        let deepest = k.next_multiple_of(16).clamp(1, DEEP * super::DEPTH);
        Parts::new(n, self.columns(), PACKED / deepest)
    }

    /// Scratch for `team`: in common, and for each thread.
    pub fn scratch_team(&self, _m: usize, n: usize, k: usize) -> Scratch {
        let widest = self.wide(n, k).all().map(|cols| cols.len()).max().unwrap_or(0);
        Scratch { shared: self.padded(widest) * k.min(DEEP * super::DEPTH) * 4, own: self.strip(k) * 4 }
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
        let depths = depths(p.k);
        for cols in self.wide(p.n, p.k).all() {
            for deep in Parts::new(depths.parts, 1, DEEP).all() {
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
        worker.each(cols.len().div_ceil(self.columns()) * deep.len(), |task| {
            let part = deep.start + task % deep.len();
            let at = cols.start + task / deep.len() * self.columns();
            let panel = at..cols.end.min(at + self.columns());
            // SAFETY: within B; the scratch has room for every panel
            unsafe { self.pack_panel(p, depths(p.k).at(part), panel, shared.add(self.panel(p, deep, part, cols, at))) };
        });
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
        let tall = Parts::new(p.m, 1, HEIGHT);
        let across = Parts::new(cols.len(), self.columns(), WIDTH);
        worker.each(tall.parts * across.parts, |task| {
            let rows = tall.at(task % tall.parts);
            let part = across.at(task / tall.parts);
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
