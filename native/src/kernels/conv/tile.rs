//! The innermost loops of convolution: tiles in registers whose rows lie anywhere.
use crate::gemm::lanes::Lanes;

/// The most rows of a tile, in any instruction set.
pub const MOST: usize = 14;

/// Rows of a product: `c[i] = a[i]·b`, or that added to it; every row of `a` and of `c` has an address of its own.
pub struct Rows {
    pub a: [*const f32; MOST],
    pub c: [*mut f32; MOST],
    pub k: usize,
    /// `k` rows of whole vectors.
    pub b: *const f32,
    /// Columns of `c`: the last vector may be cut off by it.
    pub columns: usize,
    pub accumulate: bool,
}

/// Products of rows: `c += aᵀ·b`, where row `k` of `a` and of `b` lies at `at[k]`.
pub struct Outer {
    pub at: *const (usize, usize),
    pub k: usize,
    pub a: *const f32,
    pub b: *const f32,
    pub c: *mut f32,
    pub c_row: usize,
    pub columns: usize,
}

/// # Safety
/// The instruction set of `V`; R rows of `a` hold k, of `c` `columns`, more than W - 1 vectors of them and at most W.
#[inline(always)]
unsafe fn rows<V: Lanes, const R: usize, const W: usize>(t: &Rows) {
    // SAFETY: the caller's
    unsafe {
        let mut sums = [[V::zero(); W]; R];
        let mut b = t.b;
        for k in 0..t.k {
            let mut row = [V::zero(); W];
            for (j, x) in row.iter_mut().enumerate() {
                *x = V::load(b.add(j * V::COUNT));
            }
            for (sums, a) in sums.iter_mut().zip(&t.a) {
                let x = V::splat(*a.add(k));
                for (sum, &y) in sums.iter_mut().zip(&row) {
                    *sum = x.times_plus(y, *sum);
                }
            }
            b = b.wrapping_add(W * V::COUNT);
        }
        let rest = t.columns - (W - 1) * V::COUNT;
        for (sums, c) in sums.iter().zip(&t.c) {
            for (j, &sum) in sums.iter().enumerate() {
                let n = if j + 1 == W { rest } else { V::COUNT };
                put(sum, c.add(j * V::COUNT), n, t.accumulate);
            }
        }
    }
}

/// # Safety
/// The instruction set of `V`; at each of `k` places `a` holds R floats and `b` `columns`, more than W - 1 vectors and at most W.
#[inline(always)]
unsafe fn outer<V: Lanes, const R: usize, const W: usize, const CUT: bool>(t: &Outer) {
    // SAFETY: the caller's
    unsafe {
        let mut sums = [[V::zero(); W]; R];
        let rest = t.columns - (W - 1) * V::COUNT;
        for k in 0..t.k {
            let (a, b) = *t.at.add(k);
            let (a, b) = (t.a.add(a), t.b.add(b));
            let mut row = [V::zero(); W];
            for (j, x) in row.iter_mut().enumerate() {
                let b = b.add(j * V::COUNT);
                *x = if CUT && j + 1 == W { V::load_some(b, rest) } else { V::load(b) };
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::splat(*a.add(i));
                for (sum, &y) in sums.iter_mut().zip(&row) {
                    *sum = x.times_plus(y, *sum);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                let c = t.c.add(i * t.c_row + j * V::COUNT);
                put(sum, c, if j + 1 == W { rest } else { V::COUNT }, true);
            }
        }
    }
}

/// The first `n` lanes of a sum to `c`, or added to it.
#[inline(always)]
unsafe fn put<V: Lanes>(sum: V, c: *mut f32, n: usize, accumulate: bool) {
    // SAFETY: the caller's
    unsafe {
        let one = V::splat(1.0);
        if n < V::COUNT {
            let value = if accumulate { sum.times_plus(one, V::load_some(c, n)) } else { sum };
            value.store_some(c, n);
        } else {
            let value = if accumulate { sum.times_plus(one, V::load(c)) } else { sum };
            value.store(c);
        }
    }
}

type RowsTile = unsafe fn(&Rows);
type OuterTile = unsafe fn(&Outer);

/// The tiles of one instruction set, for each height from 1 and each width in vectors from 1; outer ones whole and cut.
pub struct Tiles {
    pub lanes: usize,
    rows: &'static [[RowsTile; 2]],
    outer: &'static [[[OuterTile; 2]; 2]],
}

impl Tiles {
    /// The most rows of a tile.
    pub fn height(&self) -> usize {
        self.rows.len()
    }
    /// The most columns of a tile.
    pub fn width(&self) -> usize {
        2 * self.lanes
    }
    /// # Safety
    /// As `Rows` says, for `height` of them.
    #[inline]
    pub unsafe fn rows(&self, height: usize, t: &Rows) {
        // SAFETY: the caller's, and the set was found on this machine
        unsafe { self.rows[height - 1][t.columns.div_ceil(self.lanes) - 1](t) }
    }
    /// # Safety
    /// As `Outer` says, for `height` rows.
    #[inline]
    pub unsafe fn outer(&self, height: usize, t: &Outer) {
        let cut = usize::from(!t.columns.is_multiple_of(self.lanes));
        // SAFETY: the caller's, and the set was found on this machine
        unsafe { self.outer[height - 1][t.columns.div_ceil(self.lanes) - 1][cut](t) }
    }

    pub fn best() -> &'static Tiles {
        #[cfg(target_arch = "x86_64")]
        match crate::simd::Simd::best() {
            crate::simd::Simd::Avx512 => return &avx512::TILES,
            crate::simd::Simd::Avx2 => return &avx2::TILES,
            crate::simd::Simd::Portable => {}
        }
        &plain::TILES
    }
    /// Those of every instruction set that this machine has.
    #[cfg(test)]
    pub fn all() -> Vec<&'static Tiles> {
        let mut all = vec![&plain::TILES];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend((crate::simd::Simd::best() >= crate::simd::Simd::Avx2).then_some(&avx2::TILES));
            all.extend((crate::simd::Simd::best() >= crate::simd::Simd::Avx512).then_some(&avx512::TILES));
        }
        all
    }
}

/// The tiles of a set, compiled with its features; heights are listed, not counted.
macro_rules! tiles {
    ($lanes:ty, $(#[$feature:meta])?, $($height:literal)*) => {
        use super::*;
        $(#[$feature])?
        unsafe fn rows<const R: usize, const W: usize>(t: &Rows) {
            // SAFETY: the caller's
            unsafe { super::rows::<$lanes, R, W>(t) }
        }
        $(#[$feature])?
        unsafe fn outer<const R: usize, const W: usize, const CUT: bool>(t: &Outer) {
            // SAFETY: the caller's
            unsafe { super::outer::<$lanes, R, W, CUT>(t) }
        }
        pub static TILES: Tiles = Tiles {
            lanes: <$lanes as Lanes>::COUNT,
            rows: &[$([rows::<$height, 1>, rows::<$height, 2>]),*],
            outer: &[$([
                [outer::<$height, 1, false>, outer::<$height, 1, true>],
                [outer::<$height, 2, false>, outer::<$height, 2, true>],
            ]),*],
        };
    };
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    tiles!(crate::gemm::lanes::x86::Avx512, #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")],
        1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}
#[cfg(target_arch = "x86_64")]
mod avx2 {
    tiles!(crate::gemm::lanes::x86::Avx2, #[target_feature(enable = "avx2,fma")], 1 2 3 4 5 6);
}
#[cfg(target_arch = "aarch64")]
mod plain {
    tiles!(crate::gemm::lanes::arm::Neon, , 1 2 3 4 5 6 7 8 9 10 11 12);
}
#[cfg(not(target_arch = "aarch64"))]
mod plain {
    tiles!(crate::gemm::lanes::Plain, , 1 2 3 4);
}
