//! The transforms of F(2×2, 3×3) (Winograd 1980; Lavin and Gray 2016): y = Aᵀ[(G w Gᵀ) ∘ (Bᵀ x B)]A, by sums, differences and
//! halves alone: rounding errors are about twice those of products summed directly. Tiles of 4×4 results would take fewer
//! products still, and their errors are several times as large.
use crate::simd::versions;

pub const LANES: usize = 16;
type Lanes = [f32; LANES];
/// Places of a tile that is read, and of one that is written; elements of a transformed tile.
pub const SIDE: usize = 4;
pub const OUT: usize = 2;
pub const ELEMENTS: usize = SIDE * SIDE;

#[inline(always)]
fn add(mut x: Lanes, y: Lanes) -> Lanes {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
    x
}
#[inline(always)]
fn sub(mut x: Lanes, y: Lanes) -> Lanes {
    for (x, y) in x.iter_mut().zip(y) {
        *x -= y;
    }
    x
}
/// Half of `x + y`, and of `x - y`.
#[inline(always)]
fn halves(x: Lanes, y: Lanes) -> [Lanes; 2] {
    [add(x, y), sub(x, y)].map(|z| z.map(|z| z * 0.5))
}

/// Bᵀ of a column of what is read.
#[inline(always)]
fn input_column([d0, d1, d2, d3]: [Lanes; 4]) -> [Lanes; 4] {
    [sub(d0, d2), add(d1, d2), sub(d2, d1), sub(d1, d3)]
}
/// Aᵀ of a column of products.
#[inline(always)]
fn output_column([m0, m1, m2, m3]: [Lanes; 4]) -> [Lanes; 2] {
    [add(m0, add(m1, m2)), sub(sub(m1, m2), m3)]
}
/// A of a column of the output's gradient.
#[inline(always)]
fn gradient_column([g0, g1]: [Lanes; 2]) -> [Lanes; 4] {
    [g0, add(g0, g1), sub(g0, g1), sub([0.0; LANES], g1)]
}
/// G of a column of weights.
#[inline(always)]
fn weight_column([w0, w1, w2]: [Lanes; 3]) -> [Lanes; 4] {
    let [plus, minus] = halves(add(w0, w2), w1);
    [w0, plus, minus, w2]
}
/// Gᵀ of a column of sums.
#[inline(always)]
fn sum_column([u0, u1, u2, u3]: [Lanes; 4]) -> [Lanes; 3] {
    let [plus, minus] = halves(u1, u2);
    [add(u0, plus), minus, add(plus, u3)]
}

/// A function of each column of N by N elements, then of each row of what that gives: M by M. A macro, so that all of it is
/// compiled for the instruction set of the caller.
macro_rules! twice {
    ($n:literal to $m:literal by $f:expr, load ($i:ident, $j:ident) $load:expr, store ($k:ident, $l:ident, $x:ident) $store:expr) => {{
        let mut half = [[[0.0; LANES]; $n]; $m];
        for $j in 0..$n {
            let mut column = [[0.0; LANES]; $n];
            for ($i, place) in column.iter_mut().enumerate() {
                *place = $load;
            }
            for (row, x) in half.iter_mut().zip($f(column)) {
                row[$j] = x;
            }
        }
        for ($k, row) in half.into_iter().enumerate() {
            for ($l, $x) in $f(row).into_iter().enumerate() {
                $store;
            }
        }
    }};
}

#[inline(always)]
unsafe fn read(at: *const f32) -> Lanes {
    // SAFETY: the caller's
    unsafe { at.cast::<Lanes>().read_unaligned() }
}
#[inline(always)]
unsafe fn write(at: *mut f32, x: Lanes) {
    // SAFETY: the caller's
    unsafe { at.cast::<Lanes>().write_unaligned(x) }
}

/// Places of a tile, row by row, each of `channels` floats: those outside the image lead to where nothing else is.
pub struct Tile {
    pub places: [*mut f32; ELEMENTS],
    /// A multiple of the lanes.
    pub channels: usize,
    /// The transformed tile's first element, channels side by side; to the next.
    pub at: *mut f32,
    pub step: usize,
}

// SAFETY (of the three): the caller's: a transformed tile, and as many places as `load` or `store` counts
#[inline(always)]
unsafe fn input_body<const FMA: bool>(t: &Tile) {
    for c in (0..t.channels).step_by(LANES) {
        unsafe {
            twice!(4 to 4 by input_column,
                load (i, j) read(t.places[i * SIDE + j].add(c)),
                store (i, j, x) write(t.at.add((i * SIDE + j) * t.step + c), x));
        }
    }
}
#[inline(always)]
unsafe fn output_body<const FMA: bool>(t: &Tile) {
    for c in (0..t.channels).step_by(LANES) {
        unsafe {
            twice!(4 to 2 by output_column,
                load (i, j) read(t.at.add((i * SIDE + j) * t.step + c)),
                store (i, j, x) write(t.places[i * OUT + j].add(c), x));
        }
    }
}
#[inline(always)]
unsafe fn gradient_body<const FMA: bool>(t: &Tile) {
    for c in (0..t.channels).step_by(LANES) {
        unsafe {
            twice!(2 to 4 by gradient_column,
                load (i, j) read(t.places[i * OUT + j].add(c)),
                store (i, j, x) write(t.at.add((i * SIDE + j) * t.step + c), x));
        }
    }
}
versions! {
    /// Transforms a tile that is read: 16 places.
    pub fn input(t: &Tile) = input_body
}
versions! {
    /// Brings a transformed tile of products to what they stand for: 4 places.
    pub fn output(t: &Tile) = output_body
}
versions! {
    /// Transforms a tile of the output's gradient: 4 places.
    pub fn gradient(t: &Tile) = gradient_body
}

/// Kernels of 3×3 taps in 16 lanes.
pub struct Taps {
    /// The first tap of the first lane; to the next lane, row and column of taps.
    pub at: *mut f32,
    pub by: [isize; 3],
    /// The transformed kernels' first element; to the next.
    pub transformed: *mut f32,
    pub step: usize,
}
// SAFETY (of both): the caller's: 16 kernels, and the elements of as many
#[inline(always)]
unsafe fn weights_body<const FMA: bool>(t: &Taps) {
    unsafe {
        twice!(3 to 4 by weight_column,
            load (i, j) spread(t, i, j),
            store (i, j, x) write(t.transformed.add((i * SIDE + j) * t.step), x));
    }
}
#[inline(always)]
unsafe fn sums_body<const FMA: bool>(t: &Taps) {
    unsafe {
        twice!(4 to 3 by sum_column,
            load (i, j) read(t.transformed.add((i * SIDE + j) * t.step)),
            store (i, j, x) scatter(t, i, j, x));
    }
}
/// One tap of 16 kernels.
#[inline(always)]
unsafe fn spread(t: &Taps, i: usize, j: usize) -> Lanes {
    let at = t.at.wrapping_offset(i as isize * t.by[1] + j as isize * t.by[2]);
    let mut out = [0.0; LANES];
    for (l, x) in out.iter_mut().enumerate() {
        // SAFETY: the caller's
        *x = unsafe { *at.wrapping_offset(l as isize * t.by[0]) };
    }
    out
}
#[inline(always)]
unsafe fn scatter(t: &Taps, i: usize, j: usize, x: Lanes) {
    let at = t.at.wrapping_offset(i as isize * t.by[1] + j as isize * t.by[2]);
    for (l, x) in x.into_iter().enumerate() {
        // SAFETY: the caller's
        unsafe { *at.wrapping_offset(l as isize * t.by[0]) = x };
    }
}
versions! {
    /// Transforms kernels.
    pub fn weights(t: &Taps) = weights_body
}
versions! {
    /// Brings transformed sums to the gradient of kernels.
    pub fn sums(t: &Taps) = sums_body
}
