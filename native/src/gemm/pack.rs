//! Packing: the lines of an operand that a tile reads together are laid side by side, in the order in which it reads them.
use super::lanes::Lanes;

/// `out[k * width + i] = from[i * line + k * step]`.
#[derive(Clone, Copy)]
pub struct Panel {
    pub from: *const f32,
    /// From one line to the next, and along a line.
    pub line: usize,
    pub step: usize,
    /// Lines there are, and lines there is room for: those between hold anything.
    pub lines: usize,
    pub width: usize,
    pub k: usize,
    pub out: *mut f32,
}

/// Floats past a panel's end that packing may write to.
pub const SLACK: usize = 16;

pub type Pack = unsafe fn(&Panel);

/// # Safety
/// The instruction set of `V`; `from` holds the lines (at least one), `out` `k * width + SLACK` floats.
#[inline(always)]
pub unsafe fn panel<V: Lanes>(p: &Panel) {
    // SAFETY: the caller's
    unsafe {
        if p.line == 1 {
            across::<V>(p);
        } else if p.step == 1 {
            along::<V>(p);
        } else {
            each(p, 0);
        }
    }
}

/// Lines side by side: copied. A store may run over into the next row, which is written after it.
#[inline(always)]
unsafe fn across<V: Lanes>(p: &Panel) {
    let (whole, rest) = (p.lines / V::COUNT * V::COUNT, p.lines % V::COUNT);
    let (mut from, mut out) = (p.from, p.out);
    for _ in 0..p.k {
        let mut i = 0;
        // SAFETY: `lines` floats are read; the last store ends within the slack
        unsafe {
            while i < whole {
                V::load(from.add(i)).store(out.add(i));
                i += V::COUNT;
            }
            if rest > 0 {
                V::load_some(from.add(i), rest).store(out.add(i));
            }
            out = out.add(p.width);
        }
        from = from.wrapping_add(p.step);
    }
}

/// Each line in one piece: turned, a square at a time. The last square of a width that is no multiple overlaps the one before;
/// lines that are not there are read from the last one that is.
#[inline(always)]
unsafe fn along<V: Lanes>(p: &Panel) {
    let whole = p.k / V::SQUARE * V::SQUARE;
    let mut k = 0;
    while k < whole {
        let mut group = 0;
        while group < p.width {
            let first = group.min(p.width.saturating_sub(V::SQUARE));
            // SAFETY: lines up to the last are read; a store runs over only where the width is less than a square, and there
            // what it runs over is written after it
            unsafe {
                let start = first.min(p.lines - 1);
                V::turn(
                    p.from.add(start * p.line + k),
                    p.line,
                    p.lines - start,
                    p.out.add(k * p.width + first),
                    p.width,
                );
            }
            group += V::SQUARE;
        }
        k += V::SQUARE;
    }
    // SAFETY: as the caller says
    unsafe { each(p, whole) }
}

#[inline(always)]
unsafe fn each(p: &Panel, from: usize) {
    for k in from..p.k {
        for i in 0..p.lines {
            // SAFETY: as the caller says
            unsafe { *p.out.add(k * p.width + i) = *p.from.add(i * p.line + k * p.step) };
        }
    }
}

/// A square of four turned, for sets without better.
#[inline(always)]
pub unsafe fn turn_four(from: *const f32, line: usize, lines: usize, out: *mut f32, width: usize) {
    // SAFETY: the caller's, as in `Lanes::turn`
    unsafe {
        let rows: [[f32; 4]; 4] =
            std::array::from_fn(|i| from.add(i.min(lines - 1) * line).cast::<[f32; 4]>().read_unaligned());
        for k in 0..4 {
            let column = [rows[0][k], rows[1][k], rows[2][k], rows[3][k]];
            out.add(k * width).cast::<[f32; 4]>().write_unaligned(column);
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub mod x86 {
    use std::arch::x86_64::*;

    /// A square of eight turned.
    #[inline(always)]
    pub unsafe fn turn_eight(from: *const f32, line: usize, lines: usize, out: *mut f32, width: usize) {
        // SAFETY: the caller's, as in `Lanes::turn`, and AVX
        unsafe {
            let row = |i: usize| _mm256_loadu_ps(from.add(i.min(lines - 1) * line));
            let pair = |i: usize| {
                let (x, y) = (row(i), row(i + 1));
                (_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y))
            };
            let four = |i: usize| {
                let ((al, ah), (bl, bh)) = (pair(i), pair(i + 2));
                [
                    _mm256_shuffle_ps::<0x44>(al, bl),
                    _mm256_shuffle_ps::<0xee>(al, bl),
                    _mm256_shuffle_ps::<0x44>(ah, bh),
                    _mm256_shuffle_ps::<0xee>(ah, bh),
                ]
            };
            let (low, high) = (four(0), four(4));
            for k in 0..4 {
                _mm256_storeu_ps(out.add(k * width), _mm256_permute2f128_ps::<0x20>(low[k], high[k]));
            }
            for k in 0..4 {
                _mm256_storeu_ps(out.add((k + 4) * width), _mm256_permute2f128_ps::<0x31>(low[k], high[k]));
            }
        }
    }
}
