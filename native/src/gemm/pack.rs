//! Packing: the lines of an operand that a tile reads together are laid side by side, in the order in which it reads them.
use super::lanes::Lanes;
use super::parts::Parts;

/// Lines of an operand (rows of A, or columns of B) in panels. A panel holds, for each k, its lines' values side by side:
/// `panel[k * width + i] = from[(start + i) * line + k * step]`.
#[derive(Clone, Copy)]
pub struct Panels {
    pub from: *const f32,
    /// From one line to the next, and along a line.
    pub line: usize,
    pub step: usize,
    /// The lines of each panel; its width is their count in whole `unit`s, and what is left of it holds anything.
    pub lines: Parts,
    pub unit: usize,
    /// The part of k to pack, and all that the panels have.
    pub first: usize,
    pub k: usize,
    pub depth: usize,
    pub out: *mut f32,
    /// Floats between panels. A panel of a width below whole vectors needs `SLACK`, after the last as well.
    pub gap: usize,
}
pub const SLACK: usize = 16;
/// Rows that go through all panels together.
const ROWS: usize = 8;

pub type Pack = unsafe fn(&Panels);

/// One panel on its way.
struct Panel {
    from: *const f32,
    out: *mut f32,
    lines: usize,
    width: usize,
}

impl Panels {
    /// One panel of `lines` lines, as wide as whole `unit`s of them.
    pub fn one(
        [line, step]: [usize; 2],
        from: *const f32,
        [lines, k]: [usize; 2],
        unit: usize,
        out: *mut f32,
    ) -> Panels {
        let lines = Parts::new(lines, lines, lines);
        Panels { from, line, step, lines, unit, first: 0, k, depth: k, out, gap: 0 }
    }
    /// Where panel `i` begins in the packed block.
    pub fn offset(&self, i: usize) -> usize {
        self.lines.at(i).start * self.depth + i * self.gap
    }
    fn panel(&self, i: usize) -> Panel {
        let lines = self.lines.at(i);
        let width = lines.len().next_multiple_of(self.unit);
        Panel {
            from: self.from.wrapping_add(lines.start * self.line + self.first * self.step),
            out: self.out.wrapping_add(self.offset(i) + self.first * width),
            lines: lines.len(),
            width,
        }
    }
}

/// # Safety
/// The instruction set of `V`; `from` holds the lines (at least one), `out` has room for the panels.
#[inline(always)]
pub unsafe fn panels<V: Lanes>(p: &Panels) {
    if p.line == 1 {
        // a few rows at a time through all panels: what lies together is read together
        for from in (0..p.k).step_by(ROWS) {
            for i in 0..p.lines.parts {
                // SAFETY: the caller's
                unsafe { across::<V>(&p.panel(i), p.step, from, p.k.min(from + ROWS)) };
            }
        }
        return;
    }
    for i in 0..p.lines.parts {
        // SAFETY: the caller's
        unsafe {
            if p.step == 1 {
                along::<V>(&p.panel(i), p.line, p.k);
            } else {
                each(&p.panel(i), p.line, p.step, 0, p.k);
            }
        }
    }
}

/// Lines side by side: copied. A store may run over into the next row, which is written after it.
#[inline(always)]
unsafe fn across<V: Lanes>(p: &Panel, step: usize, first: usize, end: usize) {
    let (whole, rest) = (p.lines / V::COUNT * V::COUNT, p.lines % V::COUNT);
    for k in first..end {
        let (from, out) = (p.from.wrapping_add(k * step), p.out.wrapping_add(k * p.width));
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
        }
    }
}

/// Each line in one piece: turned, a square at a time. The last square of a width that is no multiple overlaps the one before;
/// lines that are not there are read from the last one that is.
#[inline(always)]
unsafe fn along<V: Lanes>(p: &Panel, line: usize, depth: usize) {
    let whole = depth / V::SQUARE * V::SQUARE;
    for k in (0..whole).step_by(V::SQUARE) {
        for group in (0..p.width).step_by(V::SQUARE) {
            let at = group.min(p.width.saturating_sub(V::SQUARE));
            let start = at.min(p.lines - 1);
            // SAFETY: lines up to the last are read; a store runs over only where the width is less than a square, and there
            // what it runs over is written after it
            unsafe {
                let from = p.from.add(start * line + k);
                V::turn(from, line, p.lines - start, p.out.add(k * p.width + at), p.width);
            }
        }
    }
    // SAFETY: as the caller says
    unsafe { each(p, line, 1, whole, depth) }
}

#[inline(always)]
unsafe fn each(p: &Panel, line: usize, step: usize, first: usize, end: usize) {
    for k in first..end {
        for i in 0..p.lines {
            // SAFETY: as the caller says
            unsafe { *p.out.add(k * p.width + i) = *p.from.add(i * line + k * step) };
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
            let column = rows.map(|row| row[k]);
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
