//! The transforms of F(4×4, 3×3) (Winograd 1980; Lavin and Gray 2016), through the points 0, ±5/8, ±3/2 and infinity, whose
//! rounding errors are a third of those of 0, ±1, ±2 (as oneDNN chose them): y = Aᵀ[(G w Gᵀ) ∘ (Bᵀ x B)]A.
use crate::simd::{mul_add, versions};

pub const LANES: usize = 16;
type Lanes = [f32; LANES];
/// Places of a tile that is read, and of one that is written; elements of a transformed tile.
pub const SIDE: usize = 6;
pub const OUT: usize = 4;
pub const ELEMENTS: usize = SIDE * SIDE;

const A: f32 = 0.625;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;
const A3: f32 = A * A2;
const B3: f32 = B * B2;
const PRODUCT: f32 = A2 * B2;
const SUM: f32 = A2 + B2;
const BY_A: f32 = 1.0 / (2.0 * A2 * (A2 - B2));
const BY_B: f32 = 1.0 / (2.0 * B2 * (B2 - A2));

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
#[inline(always)]
fn times(mut x: Lanes, by: f32) -> Lanes {
    for x in &mut x {
        *x *= by;
    }
    x
}
/// `x by + y`.
#[inline(always)]
fn fused<const FMA: bool>(x: Lanes, by: f32, mut y: Lanes) -> Lanes {
    for (y, x) in y.iter_mut().zip(x) {
        *y = mul_add::<FMA>(x, by, *y);
    }
    y
}
/// `x + y` and `x - y`.
#[inline(always)]
fn both(x: Lanes, y: Lanes) -> [Lanes; 2] {
    [add(x, y), sub(x, y)]
}

/// Bᵀ of a column of what is read.
#[inline(always)]
fn input_column<const FMA: bool>([d0, d1, d2, d3, d4, d5]: [Lanes; 6]) -> [Lanes; 6] {
    let [a, less_a] = both(fused::<FMA>(d2, -B2, d4), fused::<FMA>(d1, -A * B2, times(d3, A)));
    let [b, less_b] = both(fused::<FMA>(d2, -A2, d4), fused::<FMA>(d1, -B * A2, times(d3, B)));
    let first = fused::<FMA>(d0, PRODUCT, fused::<FMA>(d2, -SUM, d4));
    [first, a, less_a, b, less_b, fused::<FMA>(d1, PRODUCT, fused::<FMA>(d3, -SUM, d5))]
}
/// Aᵀ of a column of products.
#[inline(always)]
fn output_column<const FMA: bool>([m0, m1, m2, m3, m4, m5]: [Lanes; 6]) -> [Lanes; 4] {
    let ([s, d], [t, e]) = (both(m1, m2), both(m3, m4));
    [
        add(m0, add(s, t)),
        fused::<FMA>(d, A, times(e, B)),
        fused::<FMA>(s, A2, times(t, B2)),
        fused::<FMA>(d, A3, fused::<FMA>(e, B3, m5)),
    ]
}
/// A of a column of the output's gradient.
#[inline(always)]
fn gradient_column<const FMA: bool>([g0, g1, g2, g3]: [Lanes; 4]) -> [Lanes; 6] {
    let [a, less_a] = both(fused::<FMA>(g2, A2, g0), fused::<FMA>(g3, A3, times(g1, A)));
    let [b, less_b] = both(fused::<FMA>(g2, B2, g0), fused::<FMA>(g3, B3, times(g1, B)));
    [g0, a, less_a, b, less_b, g3]
}
/// G of a column of weights.
#[inline(always)]
fn weight_column<const FMA: bool>([w0, w1, w2]: [Lanes; 3]) -> [Lanes; 6] {
    let [a, less_a] = both(fused::<FMA>(w2, A2 * BY_A, times(w0, BY_A)), times(w1, A * BY_A));
    let [b, less_b] = both(fused::<FMA>(w2, B2 * BY_B, times(w0, BY_B)), times(w1, B * BY_B));
    [times(w0, 1.0 / PRODUCT), a, less_a, b, less_b, w2]
}
/// Gᵀ of a column of sums.
#[inline(always)]
fn sum_column<const FMA: bool>([u0, u1, u2, u3, u4, u5]: [Lanes; 6]) -> [Lanes; 3] {
    let ([s, d], [t, e]) = (both(u1, u2), both(u3, u4));
    [
        fused::<FMA>(u0, 1.0 / PRODUCT, fused::<FMA>(s, BY_A, times(t, BY_B))),
        fused::<FMA>(d, A * BY_A, times(e, B * BY_B)),
        fused::<FMA>(s, A2 * BY_A, fused::<FMA>(t, B2 * BY_B, u5)),
    ]
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
    /// The transformed tile: element by element, channels side by side.
    pub at: *mut f32,
}

// SAFETY (of the three): the caller's: a transformed tile, and as many places as `load` or `store` counts
#[inline(always)]
unsafe fn input_body<const FMA: bool>(t: &Tile) {
    for c in (0..t.channels).step_by(LANES) {
        unsafe {
            twice!(6 to 6 by input_column::<FMA>,
                load (i, j) read(t.places[i * SIDE + j].add(c)),
                store (i, j, x) write(t.at.add((i * SIDE + j) * t.channels + c), x));
        }
    }
}
#[inline(always)]
unsafe fn output_body<const FMA: bool>(t: &Tile) {
    for c in (0..t.channels).step_by(LANES) {
        unsafe {
            twice!(6 to 4 by output_column::<FMA>,
                load (i, j) read(t.at.add((i * SIDE + j) * t.channels + c)),
                store (i, j, x) write(t.places[i * OUT + j].add(c), x));
        }
    }
}
#[inline(always)]
unsafe fn gradient_body<const FMA: bool>(t: &Tile) {
    for c in (0..t.channels).step_by(LANES) {
        unsafe {
            twice!(4 to 6 by gradient_column::<FMA>,
                load (i, j) read(t.places[i * OUT + j].add(c)),
                store (i, j, x) write(t.at.add((i * SIDE + j) * t.channels + c), x));
        }
    }
}
versions! {
    /// Transforms a tile that is read: 36 places.
    pub fn input(t: &Tile) = input_body
}
versions! {
    /// Brings a transformed tile of products to what they stand for: 16 places.
    pub fn output(t: &Tile) = output_body
}
versions! {
    /// Transforms a tile of the output's gradient: 16 places.
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
        twice!(3 to 6 by weight_column::<FMA>,
            load (i, j) spread(t, i, j),
            store (i, j, x) write(t.transformed.add((i * SIDE + j) * t.step), x));
    }
}
#[inline(always)]
unsafe fn sums_body<const FMA: bool>(t: &Taps) {
    unsafe {
        twice!(6 to 3 by sum_column::<FMA>,
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
