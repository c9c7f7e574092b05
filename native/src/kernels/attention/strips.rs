//! Products of packed strips of rows with panels of columns, by the tiles of the matrix product.
use crate::gemm::{Panels, Parts, SLACK, Set, Tile};
use std::ops::Range;

/// Queries of a panel, and floats from one of its rows to the next.
pub const WIDTH: usize = 32;

/// A left side, packed: strips of lines as high as a tile.
pub struct Strips {
    set: &'static Set,
    at: *const f32,
    k: usize,
    lines: Parts,
}

/// Where a matrix lies: from one line to the next, and along a line.
#[derive(Clone, Copy)]
pub struct Source {
    pub from: *const f32,
    pub line: usize,
    pub step: usize,
}

impl Strips {
    /// Floats that `lines` of `k` take, packed.
    pub fn floats(lines: usize, k: usize) -> usize {
        lines.saturating_mul(k).saturating_add(SLACK)
    }

    /// # Safety
    /// The source holds the lines, and `out` has room for `floats`.
    pub unsafe fn pack(set: &'static Set, source: Source, lines: usize, k: usize, out: *mut f32) -> Strips {
        let strips = Strips { set, at: out, k, lines: Parts::new(lines, 1, set.rows()) };
        for part in strips.lines.all().filter(|part| !part.is_empty()) {
            let Source { from, line, step } = source;
            let (height, out) = (part.len(), out.wrapping_add(part.start * k));
            let from = from.wrapping_add(part.start * line);
            // SAFETY: the caller's; what runs over into the next strip is written after it
            unsafe { (set.pack)(&Panels::one([line, step], from, [height, k], 1, out)) };
        }
        strips
    }

    pub fn number(&self) -> usize {
        self.lines.parts
    }
    /// The lines of strips `which`.
    pub fn lines(&self, which: Range<usize>) -> Range<usize> {
        if which.is_empty() {
            return 0..0;
        }
        self.lines.at(which.start).start..self.lines.at(which.end - 1).end
    }
    /// How many strips hold the first `n` lines.
    pub fn holding(&self, n: usize) -> usize {
        (0..self.number()).take_while(|&i| self.lines.at(i).start < n).count()
    }

    /// `c = alpha * a·b`, or that added to `c`, for the lines of strips `which` and a part of k: `b` begins with row
    /// `depth.start`, `c` with the first line; both have rows of `WIDTH`, of which `columns`, rounded up to whole vectors, are written.
    ///
    /// # Safety
    /// `b` holds the depth's rows, `c` the strips' lines.
    pub unsafe fn times(
        &self,
        which: Range<usize>,
        depth: Range<usize>,
        (b, columns): (*const f32, usize),
        c: *mut f32,
        (alpha, accumulate): (f32, bool),
    ) {
        let set = self.set;
        let first = self.lines(which.clone()).start;
        for part in which.map(|i| self.lines.at(i)).filter(|part| !part.is_empty()) {
            let height = part.len();
            let a = self.at.wrapping_add(part.start * self.k + depth.start * height);
            let mut tile = Tile {
                k: depth.len(),
                a,
                a_row: 1,
                a_column: height,
                b,
                b_row: WIDTH,
                c: c.wrapping_add((part.start - first) * WIDTH),
                c_row: WIDTH,
                columns: 0,
                alpha,
                accumulate,
            };
            for at in (0..columns).step_by(set.columns()) {
                let vectors = (columns - at).min(set.columns()).div_ceil(set.lanes);
                tile.columns = vectors * set.lanes;
                // SAFETY: the caller's
                unsafe { set.packed[height - 1][vectors - 1](&tile) };
                tile.b = tile.b.wrapping_add(tile.columns);
                tile.c = tile.c.wrapping_add(tile.columns);
            }
        }
    }
}

/// Brings `rows` rows of `length` elements near, one row every `by`: what is packed or written next comes from afar.
pub fn fetch(from: *const f32, (rows, by): (usize, usize), length: usize) {
    for row in 0..rows {
        for at in (0..length).step_by(16) {
            near(from.wrapping_add(row * by + at));
        }
    }
}
#[cfg(target_arch = "x86_64")]
fn near(at: *const f32) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch of any address is harmless
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
}
#[cfg(not(target_arch = "x86_64"))]
fn near(_: *const f32) {}

/// Adds `a·b` to `c`: `a` has `rows` rows of `WIDTH`, of which `k` count; `b` and `c` rows of `width`, whole vectors.
///
/// # Safety
/// The matrices lie in memory as said.
pub unsafe fn add_product(
    set: &Set,
    rows: usize,
    a: *const f32,
    k: usize,
    (b, width): (*const f32, usize),
    c: *mut f32,
) {
    for part in Parts::new(rows, 1, set.rows()).all().filter(|part| !part.is_empty()) {
        let height = part.len();
        let mut tile = Tile {
            k,
            a: a.wrapping_add(part.start * WIDTH),
            a_row: WIDTH,
            a_column: 1,
            b,
            b_row: width,
            c: c.wrapping_add(part.start * width),
            c_row: width,
            columns: 0,
            alpha: 1.0,
            accumulate: true,
        };
        for at in (0..width).step_by(set.columns()) {
            tile.columns = (width - at).min(set.columns());
            // SAFETY: the caller's
            unsafe { set.direct[height - 1][tile.columns / set.lanes - 1](&tile) };
            tile.b = tile.b.wrapping_add(tile.columns);
            tile.c = tile.c.wrapping_add(tile.columns);
        }
    }
}

/// A panel: `lines` of the source side by side in rows of `width`, `out[k][line]`.
///
/// # Safety
/// The source holds the lines, and `out` has room for `k` rows and `SLACK`.
pub unsafe fn pack_panel(set: &Set, source: Source, lines: usize, width: usize, k: usize, out: *mut f32) {
    if lines == 0 {
        return;
    }
    let Source { from, line, step } = source;
    // SAFETY: the caller's
    unsafe { (set.pack)(&Panels::one([line, step], from, [lines, k], width, out)) }
}

/// Writes rows of `width` to where they belong.
///
/// # Safety
/// `from` holds `rows` rows of `stride`, and the target lies in memory as its steps say.
pub unsafe fn spread(
    from: *const f32,
    stride: usize,
    (rows, width): (usize, usize),
    to: *mut f32,
    (place, element): (usize, usize),
) {
    for row in 0..rows {
        let (from, to) = (from.wrapping_add(row * stride), to.wrapping_add(row * place));
        // SAFETY: the caller's
        unsafe {
            if element == 1 {
                std::ptr::copy_nonoverlapping(from, to, width);
            } else {
                (0..width).for_each(|i| *to.add(i * element) = *from.add(i));
            }
        }
    }
}
