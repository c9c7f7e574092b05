//! Products of few rows, as generation has them: B is read once, where it lies, as fast as memory gives it.
use super::lanes::Lanes;
use super::{Matrix, Product, Set};
use crate::gemm::Parts;
use crate::team::Worker;
use std::ops::Range;

/// Most rows of such a product: from here on packing B pays.
pub const FEW: usize = 8;
/// Rows that one pass over B's numbers takes along, and lines of B in a pass.
const ROWS: usize = 4;
const LINES: usize = 8;
/// Floats of C that a task sums in the first cache.
const SUMS: usize = 4096;

/// Some rows of C over some columns, B's lines `by` apart.
pub struct Few {
    n: usize,
    k: usize,
    a: *const f32,
    a_row: usize,
    b: *const f32,
    by: usize,
    /// Where sums begin at zero: rows of `sums_row`.
    sums: *mut f32,
    sums_row: usize,
}
pub type Pass = unsafe fn(&Few);

/// Adds `k` (at most LINES) lines of B, whose columns lie side by side, times `M` rows of A to the sums.
///
/// # Safety
/// The instruction set of `V`; sums have room for whole vectors.
#[inline(always)]
pub unsafe fn across<V: Lanes, const M: usize>(f: &Few) {
    // SAFETY: the caller's
    unsafe {
        let mut x = [[V::zero(); LINES]; M];
        for (i, x) in x.iter_mut().enumerate() {
            for (line, x) in x.iter_mut().enumerate().take(f.k) {
                *x = V::splat(*f.a.add(i * f.a_row + line));
            }
        }
        // what is missing is the first line again, times zero
        let line: [*const f32; LINES] = std::array::from_fn(|l| f.b.wrapping_add(if l < f.k { l * f.by } else { 0 }));
        let whole = f.n / V::COUNT * V::COUNT;
        for j in (0..whole).step_by(V::COUNT) {
            let b: [V; LINES] = std::array::from_fn(|l| V::load(line[l].add(j)));
            for (i, x) in x.iter().enumerate() {
                let to = f.sums.add(i * f.sums_row + j);
                let mut sum = V::load(to);
                for (x, b) in x.iter().zip(b) {
                    sum = x.times_plus(b, sum);
                }
                sum.store(to);
            }
        }
        let rest = f.n - whole;
        if rest > 0 {
            let b: [V; LINES] = std::array::from_fn(|l| V::load_some(line[l].add(whole), rest));
            for (i, x) in x.iter().enumerate() {
                let to = f.sums.add(i * f.sums_row + whole);
                let mut sum = V::load(to);
                for (x, b) in x.iter().zip(b) {
                    sum = x.times_plus(b, sum);
                }
                sum.store(to);
            }
        }
    }
}

/// Columns of B that one pass of `along` takes.
const COLUMNS: usize = 4;

/// Sums of products of `M` rows of A with up to COLUMNS columns of B, each in one piece.
///
/// # Safety
/// The instruction set of `V`.
#[inline(always)]
pub unsafe fn along<V: Lanes, const M: usize>(f: &Few) {
    // SAFETY: the caller's
    unsafe {
        let mut sums = [[V::zero(); COLUMNS]; M];
        // what is missing is the last column again
        let column: [*const f32; COLUMNS] = std::array::from_fn(|c| f.b.wrapping_add(c.min(f.n - 1) * f.by));
        let whole = f.k / V::COUNT * V::COUNT;
        for at in (0..whole).step_by(V::COUNT) {
            let b: [V; COLUMNS] = std::array::from_fn(|c| V::load(column[c].add(at)));
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::load(f.a.add(i * f.a_row + at));
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = x.times_plus(b, *sum);
                }
            }
        }
        let rest = f.k - whole;
        if rest > 0 {
            let b: [V; COLUMNS] = std::array::from_fn(|c| V::load_some(column[c].add(whole), rest));
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::load_some(f.a.add(i * f.a_row + whole), rest);
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = x.times_plus(b, *sum);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (c, &sum) in sums.iter().enumerate().take(f.n) {
                *f.sums.add(i * f.sums_row + c) = sum.total();
            }
        }
    }
}

impl Set {
    /// Whether the product is one of few rows against columns or rows that lie in one piece.
    pub fn is_few(&self, p: &Product) -> bool {
        p.m <= FEW && (p.b.columns_by == 1 || p.b.rows_by == 1)
    }

    /// Columns that a task takes.
    fn few_columns(&self, m: usize, n: usize, threads: usize) -> Parts {
        let most = (SUMS / m.max(1)).min(n.div_ceil(2 * threads)).next_multiple_of(self.lanes);
        Parts::new(n, self.lanes, most)
    }

    /// Floats of scratch: sums, and rows of A that do not lie in one piece.
    pub fn scratch_few(&self, m: usize, n: usize, k: usize) -> usize {
        if m > FEW { 0 } else { m * (self.padded(n.min(SUMS)) + self.lanes) + m * k }
    }

    /// The whole product by all threads; as `team`.
    ///
    /// # Safety
    /// As `team`, of a product that `is_few`.
    pub unsafe fn few_together(
        &self,
        worker: &Worker,
        p: &Product,
        own: *mut f32,
        finish: &dyn Fn(Range<usize>, Range<usize>),
    ) {
        let parts = self.few_columns(p.m, p.n, worker.count);
        worker.each(parts.parts, |task| {
            let cols = parts.at(task);
            // SAFETY: the caller's
            unsafe { self.few(&p.columns(cols.clone()), own) };
            finish(0..p.m, cols);
        });
    }

    /// The whole product on this thread, a part of the columns at a time.
    ///
    /// # Safety
    /// As `alone`, of a product that `is_few`.
    pub unsafe fn few_alone(&self, p: &Product, scratch: *mut f32) {
        for cols in self.few_columns(p.m, p.n, 1).all() {
            // SAFETY: the caller's
            unsafe { self.few(&p.columns(cols), scratch) };
        }
    }

    unsafe fn few(&self, p: &Product, scratch: *mut f32) {
        let row = self.padded(p.n);
        let (sums, spare) = (scratch, scratch.wrapping_add(p.m * row));
        let groups = Parts::new(p.m, 1, ROWS);
        // SAFETY: the caller's: the scratch holds rows of sums, then rows of A
        unsafe {
            let a = in_rows(p, spare);
            let few = |b: *const f32, by, n, k| Few { n, k, a: a.at, a_row: a.rows_by, b, by, sums, sums_row: row };
            if p.b.columns_by == 1 {
                std::ptr::write_bytes(sums, 0, p.m * row);
                for first in (0..p.k).step_by(LINES) {
                    let part = few(p.b.from(first, 0).at, p.b.rows_by, p.n, LINES.min(p.k - first));
                    for rows in groups.all() {
                        self.across[rows.len() - 1](&part.of(rows.start, first, 0));
                    }
                }
            } else {
                for first in (0..p.n).step_by(COLUMNS) {
                    let part = few(p.b.from(0, first).at, p.b.columns_by, COLUMNS.min(p.n - first), p.k);
                    for rows in groups.all() {
                        self.along[rows.len() - 1](&part.of(rows.start, 0, first));
                    }
                }
            }
            for i in 0..p.m {
                let (c, sums) = (p.c.add(i * p.c_row), sums.add(i * row));
                for j in 0..p.n {
                    let before = if p.accumulate { *c.add(j) } else { 0.0 };
                    *c.add(j) = p.alpha * *sums.add(j) + before;
                }
            }
        }
    }
}

impl Few {
    /// From a row on, a place of k, and a column of the sums.
    fn of(&self, row: usize, k: usize, column: usize) -> Few {
        Few {
            a: self.a.wrapping_add(row * self.a_row + k),
            sums: self.sums.wrapping_add(row * self.sums_row + column),
            ..*self
        }
    }
}

/// A's rows, each in one piece: copied to `spare` where they are not.
unsafe fn in_rows(p: &Product, spare: *mut f32) -> Matrix {
    if p.a.columns_by == 1 {
        return p.a;
    }
    for i in 0..p.m {
        for j in 0..p.k {
            // SAFETY: the caller's: room for m rows of k
            unsafe { *spare.add(i * p.k + j) = *p.a.from(i, j).at };
        }
    }
    Matrix { at: spare, rows_by: p.k, columns_by: 1 }
}
