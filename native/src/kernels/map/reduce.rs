//! Sums and maxima at the end of a map: a block is folded in f32, a chunk in f64, and chunks are joined in a fixed order.
use super::walk::{Axes, RANK, Walk, dense, dot, each_place};
use crate::reader::Operand;
use crate::simd::{Simd, versions};

/// How two values become one.
trait Fold {
    const FIRST: f64;
    fn join(a: f32, b: f32) -> f32;
    fn wide(a: f64, b: f64) -> f64;
}
enum Sum {}
impl Fold for Sum {
    const FIRST: f64 = 0.0;
    #[inline(always)]
    fn join(a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    fn wide(a: f64, b: f64) -> f64 {
        a + b
    }
}
enum Max {}
impl Fold for Max {
    const FIRST: f64 = f64::NEG_INFINITY;
    #[inline(always)]
    fn join(a: f32, b: f32) -> f32 {
        if a > b || a.is_nan() { a } else { b }
    }
    #[inline(always)]
    fn wide(a: f64, b: f64) -> f64 {
        if a > b || a.is_nan() { a } else { b }
    }
}

/// Values that a row is folded into before they are joined, and how many of them its end uses.
const LANES: usize = 64;
const FEW: usize = 16;
/// The longest row that is folded in f32 before it is added to the chunk's values.
const WIDE: usize = 1024;

/// Every row of `n` lanes into one value.
#[inline(always)]
unsafe fn fold_rows<F: Fold, const FMA: bool>(to: *mut f64, by: usize, v: *const f32, rows: usize, n: usize) {
    for i in 0..rows {
        // SAFETY: the block holds `rows` rows, and `to` a value for each
        unsafe {
            let (v, to) = (v.add(i * n), to.add(i * by));
            if n < FEW {
                let total = (0..n).fold(F::FIRST as f32, |total, j| F::join(total, *v.add(j)));
                *to = F::wide(*to, f64::from(total));
                continue;
            }
            let mut lanes = [F::FIRST as f32; LANES];
            let whole = n - n % LANES;
            for at in (0..whole).step_by(LANES) {
                for (j, lane) in lanes.iter_mut().enumerate() {
                    *lane = F::join(*lane, *v.add(at + j));
                }
            }
            let most = n - n % FEW;
            for at in (whole..most).step_by(FEW) {
                for (j, lane) in lanes[..FEW].iter_mut().enumerate() {
                    *lane = F::join(*lane, *v.add(at + j));
                }
            }
            let mut width = LANES;
            while width > 1 {
                width /= 2;
                for j in 0..width {
                    lanes[j] = F::join(lanes[j], lanes[j + width]);
                }
            }
            let rest = (most..n).fold(F::FIRST as f32, |rest, j| F::join(rest, *v.add(j)));
            let total = F::join(lanes[0], rest);
            *to = F::wide(*to, f64::from(total));
        }
    }
}

/// `rows` rows of `n` lanes into one row.
#[inline(always)]
unsafe fn fold_columns<F: Fold, const FMA: bool>(to: *mut f64, by: usize, v: *const f32, rows: usize, n: usize) {
    if rows == 1 {
        for j in 0..n {
            // SAFETY: as below
            unsafe { *to.add(j * by) = F::wide(*to.add(j * by), f64::from(*v.add(j))) };
        }
        return;
    }
    let mut row = [0f32; WIDE];
    // short rows are folded several side by side
    let beside = (LANES / n).clamp(1, rows);
    let width = beside * n;
    // SAFETY: the block holds `rows` rows of at most `WIDE` lanes, and `to` a value for each lane of one
    unsafe {
        std::ptr::copy_nonoverlapping(v, row.as_mut_ptr(), width);
        let groups = rows / beside;
        for g in 1..groups {
            let from = v.add(g * width);
            for (j, value) in row[..width].iter_mut().enumerate() {
                *value = F::join(*value, *from.add(j));
            }
        }
        let rest = v.add(groups * width);
        for (j, value) in row[..(rows - groups * beside) * n].iter_mut().enumerate() {
            *value = F::join(*value, *rest.add(j));
        }
        for part in row[..width].chunks_exact(n) {
            for (j, &value) in part.iter().enumerate() {
                *to.add(j * by) = F::wide(*to.add(j * by), f64::from(value));
            }
        }
    }
}
versions! { fn rows_of<F: Fold>(to: *mut f64, by: usize, v: *const f32, rows: usize, n: usize) = fold_rows }
versions! { fn columns_of<F: Fold>(to: *mut f64, by: usize, v: *const f32, rows: usize, n: usize) = fold_columns }

/// Partial results, one after the other, into the chunk's values.
#[inline(always)]
unsafe fn join_partial<F: Fold, const FMA: bool>(to: &mut [f64], partial: *const f32) {
    for (j, value) in to.iter_mut().enumerate() {
        // SAFETY: there is a partial result for each value
        *value = F::wide(*value, f64::from(unsafe { *partial.add(j) }));
    }
}
versions! { fn join_of<F: Fold>(to: &mut [f64], partial: *const f32) = join_partial }

type FoldRun = unsafe fn(*mut f64, usize, *const f32, usize, usize);

pub struct Reduction {
    pub first: f64,
    pub register: usize,
    /// Which axes are reduced.
    pub reduced: [bool; RANK],
    pub stride: Axes,
    pub operand: Operand,
    rows: FoldRun,
    columns: FoldRun,
    pub join: unsafe fn(&mut [f64], *const f32),
}

impl Reduction {
    pub fn new(
        max: bool,
        register: usize,
        reduced: [bool; RANK],
        stride: Axes,
        operand: Operand,
        simd: Simd,
    ) -> Reduction {
        if max {
            let (rows, columns, join) = (rows_of::<Max>(simd), columns_of::<Max>(simd), join_of::<Max>(simd));
            Reduction { first: Max::FIRST, register, reduced, stride, operand, rows, columns, join }
        } else {
            let (rows, columns, join) = (rows_of::<Sum>(simd), columns_of::<Sum>(simd), join_of::<Sum>(simd));
            Reduction { first: Sum::FIRST, register, reduced, stride, operand, rows, columns, join }
        }
    }
    /// The extents of what is left of a box, with 1 for each reduced axis.
    pub fn kept(&self, extent: &[usize]) -> Axes {
        let mut kept = [1; RANK];
        (0..extent.len()).filter(|&d| !self.reduced[d]).for_each(|d| kept[d] = extent[d]);
        kept
    }
    /// Row-major strides of what is left of a box, 0 on reduced axes.
    pub fn strides(&self, extent: &[usize]) -> Axes {
        let mut strides = dense(&self.kept(extent)[..extent.len()]);
        (0..extent.len()).filter(|&d| self.reduced[d]).for_each(|d| strides[d] = 0);
        strides
    }
    pub fn volume(&self, extent: &[usize]) -> usize {
        self.kept(extent)[..extent.len()].iter().product()
    }

    /// Folds a block into its chunk's values; the walk's strides are the values'.
    pub unsafe fn fold(&self, values: *mut f64, block: &Walk, v: *const f32) {
        let Some(last) = block.rank.checked_sub(1) else {
            // SAFETY: one lane, one value
            return unsafe { (self.columns)(values, 1, v, 1, 1) };
        };
        let (n, by) = (block.extent[last], block.stride[last]);
        let mut rest = block.extent;
        rest[last] = 1;
        let rest = &mut rest[..block.rank];
        let mut rows = (1, 0);
        // an axis that goes with the last: many kept rows, or many rows to fold into one
        if last > 0 && (by == 0 || block.stride[last - 1] == 0) {
            rows = (block.extent[last - 1], block.stride[last - 1]);
            rest[last - 1] = 1;
        }
        each_place(rest, &block.dense, &block.stride, |from, to| {
            // SAFETY: the walk stays inside the block and its chunk's values
            unsafe {
                if by == 0 {
                    (self.rows)(values.add(to), rows.1, v.add(from), rows.0, n);
                } else {
                    (self.columns)(values.add(to), by, v.add(from), rows.0, n);
                }
            }
        });
    }

    /// Writes a chunk's values in f32 by the strides given.
    pub unsafe fn write(&self, values: *const f64, extent: &[usize], to: *mut f32, stride: &Axes) {
        let walk = Walk::new(&self.kept(extent)[..extent.len()], stride);
        let (n, by) = match walk.rank {
            0 => (1, 1),
            rank => (walk.extent[rank - 1], walk.stride[rank - 1]),
        };
        let mut rest = walk.extent;
        rest[walk.rank.saturating_sub(1)] = 1;
        each_place(&rest[..walk.rank], &walk.dense, &walk.stride, |x, y| {
            // SAFETY: the walk stays inside the values and the result
            unsafe {
                if by == 1 {
                    (0..n).for_each(|j| *to.add(y + j) = *values.add(x + j) as f32);
                } else {
                    (0..n).for_each(|j| *to.add(y + j * by) = *values.add(x + j) as f32);
                }
            }
        });
    }
    /// What an empty space leaves.
    pub unsafe fn write_first(&self, dims: &[usize], to: *mut f32) {
        each_place(&self.kept(dims)[..dims.len()], &self.stride, &[0; RANK], |at, _| {
            // SAFETY: inside the result
            unsafe { *to.add(at) = self.first as f32 };
        });
    }
    pub fn offset(&self, low: &[usize]) -> usize {
        dot(low, &self.stride)
    }
}
