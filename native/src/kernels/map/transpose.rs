//! Tiles of 32-bit elements turned over in squares of 8 × 8, in AVX2 registers.
#![cfg(target_arch = "x86_64")]
use super::elements::Plane;
use std::arch::x86_64::*;

const SIDE: usize = 8;

/// `to[c * to_row + r] = from[r * from_row + c]`.
#[target_feature(enable = "avx2")]
unsafe fn square(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    // SAFETY: both hold a square
    unsafe {
        let row = |r: usize| _mm256_loadu_ps(from.add(r * from_row));
        let pairs = |a: __m256, b: __m256| (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let ((a, b), (c, d)) = (pairs(row(0), row(1)), pairs(row(2), row(3)));
        let ((e, f), (g, h)) = (pairs(row(4), row(5)), pairs(row(6), row(7)));
        let low = |x: __m256, y: __m256| _mm256_shuffle_ps::<0x44>(x, y);
        let high = |x: __m256, y: __m256| _mm256_shuffle_ps::<0xee>(x, y);
        // four rows of each half, then the halves side by side
        let left = [low(a, c), high(a, c), low(b, d), high(b, d)];
        let right = [low(e, g), high(e, g), low(f, h), high(f, h)];
        for k in 0..4 {
            _mm256_storeu_ps(to.add(k * to_row), _mm256_permute2f128_ps::<0x20>(left[k], right[k]));
            _mm256_storeu_ps(to.add((k + 4) * to_row), _mm256_permute2f128_ps::<0x31>(left[k], right[k]));
        }
    }
}

/// Squares while they fit, then element by element.
#[target_feature(enable = "avx2")]
unsafe fn turn(from: *const f32, from_row: usize, to: *mut f32, to_row: usize, rows: usize, columns: usize) {
    let (down, across) = (rows / SIDE * SIDE, columns / SIDE * SIDE);
    // SAFETY: `from` holds `rows` of `columns`, `to` the reverse
    unsafe {
        for r in (0..down).step_by(SIDE) {
            for c in (0..across).step_by(SIDE) {
                square(from.add(r * from_row + c), from_row, to.add(c * to_row + r), to_row);
            }
        }
        for r in 0..rows {
            for c in if r < down { across } else { 0 }..columns {
                *to.add(c * to_row + r) = *from.add(r * from_row + c);
            }
        }
    }
}

/// As `load_tile`, where memory's neighbours are the plane's rows.
#[target_feature(enable = "avx2")]
pub unsafe fn tile_in(dst: &mut [u32], memory: *const u8, p: &Plane) {
    // SAFETY: the plane lies inside both
    unsafe { turn(memory.cast(), p.column, dst.as_mut_ptr().cast(), p.dense, p.columns, p.rows) }
}
/// As `store_tile`, where memory's neighbours are the plane's rows.
#[target_feature(enable = "avx2")]
pub unsafe fn tile_out(src: &[u32], memory: *mut u8, p: &Plane) {
    // SAFETY: the plane lies inside both
    unsafe { turn(src.as_ptr().cast(), p.dense, memory.cast(), p.column, p.rows, p.columns) }
}
