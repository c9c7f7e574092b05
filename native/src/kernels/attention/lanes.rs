//! What happens to scores between two products: rows of keys, a query in each lane.
use super::super::lanes::{LANES, apart, chunks, load, maximum, reduce, store};
use super::strips::WIDTH;
use crate::math;
use crate::simd::{mul_add, versions};

type Lanes = [f32; WIDTH];

#[inline(always)]
unsafe fn row(of: *const f32, i: usize) -> Lanes {
    // SAFETY: the caller's: row `i` is there
    unsafe { of.add(i * WIDTH).cast::<Lanes>().read_unaligned() }
}
#[inline(always)]
unsafe fn set_row(of: *mut f32, i: usize, lanes: Lanes) {
    // SAFETY: as above
    unsafe { of.add(i * WIDTH).cast::<Lanes>().write_unaligned(lanes) }
}

/// Per query: the largest score so far, the sum of exponentials below it, and what an older sum is worth since the last block.
pub struct Totals {
    pub top: Lanes,
    pub sum: Lanes,
    pub factor: Lanes,
}
impl Totals {
    pub fn none() -> Totals {
        // finite: what is below it by infinity has no weight, and is a number
        Totals { top: [f32::MIN; WIDTH], sum: [0.0; WIDTH], factor: [0.0; WIDTH] }
    }
}

/// Scores of `n` keys to exponentials below each query's largest so far (Milakov and Gimelshein 2018).
#[inline(always)]
unsafe fn exponentials_body<const FMA: bool>(scores: *mut f32, n: usize, totals: &mut Totals) {
    let old = totals.top;
    let mut top = old;
    for key in 0..n {
        apart();
        // SAFETY: the caller's: `n` rows
        let x = unsafe { row(scores, key) };
        for (top, x) in top.iter_mut().zip(x) {
            *top = if x > *top { x } else { *top };
        }
    }
    let mut sum = [0.0; WIDTH];
    for key in 0..n {
        apart();
        // SAFETY: as above
        unsafe {
            let mut x = row(scores, key);
            for i in 0..WIDTH {
                x[i] = math::exp::<FMA>(x[i] - top[i]);
                sum[i] += x[i];
            }
            set_row(scores, key, x);
        }
    }
    for i in 0..WIDTH {
        totals.factor[i] = math::exp::<FMA>(old[i] - top[i]);
        totals.sum[i] = mul_add::<FMA>(totals.sum[i], totals.factor[i], sum[i]);
    }
    totals.top = top;
}
versions! { pub fn exponentials(scores: *mut f32, n: usize, totals: &mut Totals) = exponentials_body }

/// One query's scores of `n` keys to exponentials below the largest: that, and their sum.
#[inline(always)]
unsafe fn row_exponentials_body<const FMA: bool>(scores: *mut f32, n: usize) -> (f32, f32) {
    // SAFETY: the caller's: `n` scores
    unsafe {
        // finite: what is below it by infinity has no weight, and is a number
        let top = maximum(scores, n).max(f32::MIN);
        let mut sum = [0.0; LANES];
        chunks!(n, |i, count| {
            let mut e = load(scores.add(i), count, f32::NEG_INFINITY);
            for (e, sum) in e.iter_mut().zip(&mut sum) {
                *e = math::exp::<FMA>(*e - top);
                *sum += *e;
            }
            store(scores.add(i), count, e);
        });
        (top, reduce(sum, |a, b| a + b))
    }
}
versions! { pub fn row_exponentials(scores: *mut f32, n: usize) -> (f32, f32) = row_exponentials_body }

/// Multiplies each of `n` rows by a number for each lane.
#[inline(always)]
unsafe fn scale_body<const FMA: bool>(rows: *mut f32, n: usize, by: &Lanes) {
    for i in 0..n {
        apart();
        // SAFETY: the caller's: `n` rows
        unsafe {
            let mut x = row(rows, i);
            for (x, by) in x.iter_mut().zip(by) {
                *x *= by;
            }
            set_row(rows, i, x);
        }
    }
}
versions! { pub fn scale(rows: *mut f32, n: usize, by: &Lanes) = scale_body }

/// What a query's scores need for their gradient: the logarithm of their sum of exponentials, and the sum of g ∘ y.
pub struct Known {
    pub lse: Lanes,
    pub delta: Lanes,
}

/// Scores of `n` keys to probabilities, and the probabilities' gradients to those of what was multiplied by the scale.
#[inline(always)]
unsafe fn slopes_body<const FMA: bool>(scores: *mut f32, slopes: *mut f32, n: usize, known: &Known, scale: f32) {
    let (lse, delta) = (known.lse, known.delta);
    for key in 0..n {
        apart();
        // SAFETY: the caller's: `n` rows of each
        unsafe {
            let (mut p, mut ds) = (row(scores, key), row(slopes, key));
            for i in 0..WIDTH {
                p[i] = math::exp::<FMA>(p[i] - lse[i]);
                ds[i] = p[i] * ((ds[i] - delta[i]) * scale);
            }
            set_row(scores, key, p);
            set_row(slopes, key, ds);
        }
    }
}
versions! { pub fn slopes(scores: *mut f32, slopes: *mut f32, n: usize, known: &Known, scale: f32) = slopes_body }

/// The sum of products of two rows of `n`.
#[inline(always)]
unsafe fn dot_body<const FMA: bool>(x: *const f32, x_step: usize, y: *const f32, y_step: usize, n: usize) -> f32 {
    let mut sums = [0.0f32; 16];
    let whole = if x_step == 1 && y_step == 1 { n / 16 * 16 } else { 0 };
    // SAFETY: the caller's
    unsafe {
        for i in (0..whole).step_by(16) {
            let (x, y) = (x.add(i).cast::<[f32; 16]>().read_unaligned(), y.add(i).cast::<[f32; 16]>().read_unaligned());
            for l in 0..16 {
                sums[l] = mul_add::<FMA>(x[l], y[l], sums[l]);
            }
        }
        for i in whole..n {
            sums[i % 16] = mul_add::<FMA>(*x.add(i * x_step), *y.add(i * y_step), sums[i % 16]);
        }
    }
    let mut n = 8;
    while n > 0 {
        for i in 0..n {
            sums[i] += sums[i + n];
        }
        n /= 2;
    }
    sums[0]
}
versions! { pub fn dot(x: *const f32, x_step: usize, y: *const f32, y_step: usize, n: usize) -> f32 = dot_body }
