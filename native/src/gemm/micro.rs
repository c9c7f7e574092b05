//! The innermost loop: a tile of the product held in registers, one instance for each height and width.
use super::lanes::Lanes;

/// One tile: `c = alpha * a·b`, or that added to `c`.
#[derive(Clone, Copy)]
pub struct Tile {
    pub k: usize,
    pub a: *const f32,
    /// From one row of `a` to the next, and from one column to the next.
    pub a_row: usize,
    pub a_column: usize,
    pub b: *const f32,
    /// From one row of `b` to the next; its columns lie side by side.
    pub b_row: usize,
    pub c: *mut f32,
    pub c_row: usize,
    /// Columns of `c`: the last vector of the tile may be cut off by it.
    pub columns: usize,
    pub alpha: f32,
    pub accumulate: bool,
}

/// Steps before the last at which C is asked for: sooner, and the panels would push it out of the cache again.
const LATE: usize = 48;

pub type Micro = unsafe fn(&Tile);

/// # Safety
/// The instruction set of `V`; `a` holds R rows of k, `b` k rows of W whole vectors, `c` R rows of `columns`.
#[inline(always)]
pub unsafe fn tile<V: Lanes, const PACKED: bool, const R: usize, const W: usize>(t: &Tile) {
    // SAFETY: the caller's; pointers past the last row are formed with wrapping arithmetic and not read
    unsafe {
        let mut sums = [[V::zero(); W]; R];
        let (mut a, mut b) = (t.a, t.b);
        let a_row = if PACKED { 1 } else { t.a_row };
        let late = t.k.min(LATE);
        for steps in [t.k - late, late] {
            for _ in 0..steps {
                let mut row = [V::zero(); W];
                for (j, x) in row.iter_mut().enumerate() {
                    *x = V::load(b.add(j * V::COUNT));
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let x = V::splat(*a.add(i * a_row));
                    for (sum, &y) in sums.iter_mut().zip(&row) {
                        *sum = x.times_plus(y, *sum);
                    }
                }
                a = a.wrapping_add(t.a_column);
                b = b.wrapping_add(t.b_row);
            }
            for i in 0..R {
                for j in 0..W {
                    V::fetch(t.c.wrapping_add(i * t.c_row + j * V::COUNT));
                }
            }
        }
        let alpha = V::splat(t.alpha);
        let cut = t.columns < W * V::COUNT;
        for (i, sums) in sums.iter().enumerate() {
            let c = t.c.add(i * t.c_row);
            for (j, &sum) in sums.iter().enumerate() {
                let c = c.wrapping_add(j * V::COUNT);
                if cut && j + 1 == W {
                    let n = t.columns - j * V::COUNT;
                    let value = if t.accumulate { sum.times_plus(alpha, V::load_some(c, n)) } else { sum.times(alpha) };
                    value.store_some(c, n);
                } else {
                    let value = if t.accumulate { sum.times_plus(alpha, V::load(c)) } else { sum.times(alpha) };
                    value.store(c);
                }
            }
        }
    }
}
