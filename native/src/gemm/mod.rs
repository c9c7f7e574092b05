//! The single-precision matrix product: blocks that fit the caches, packed, multiplied tile by tile in registers.
//!
//! Each element of C is summed in the order of k, in parts that depend on k alone: its bits are the same whatever block it
//! falls into, whoever computes it, and however many threads there are.
mod lanes;
mod micro;
mod pack;
mod parts;
mod peak;
mod sets;
mod team;

pub use micro::Tile;
pub use pack::{Panel, SLACK};
pub use parts::Parts;
pub use peak::peak;
pub use sets::{Level, Set};
use std::ops::Range;

/// A matrix where it lies; usually one of the strides is 1, and any will do.
#[derive(Clone, Copy, Debug)]
pub struct Matrix {
    pub at: *const f32,
    /// From one row to the next, and from one column to the next.
    pub rows_by: usize,
    pub columns_by: usize,
}
impl Matrix {
    fn from(self, row: usize, column: usize) -> Matrix {
        Matrix { at: self.at.wrapping_add(row * self.rows_by + column * self.columns_by), ..self }
    }
}

/// `c = alpha * a·b`, or that added to `c`: [m k] by [k n] to [m n], rows of `c` in one piece each.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: Matrix,
    pub b: Matrix,
    pub c: *mut f32,
    pub c_row: usize,
    pub alpha: f32,
    pub accumulate: bool,
}

/// Most of k in one go, and of columns in one block: a block of B takes half of a cache of 1 MB.
const DEPTH: usize = 384;
const WIDTH: usize = 384;

/// The parts of k that are summed each in one go.
fn depths(k: usize) -> Parts {
    Parts::new(k, 16, DEPTH)
}

impl Set {
    /// Columns rounded up to whole vectors.
    fn padded(&self, columns: usize) -> usize {
        columns.next_multiple_of(self.lanes)
    }
    /// Floats for one packed panel of A.
    fn strip(&self, k: usize) -> usize {
        self.rows() * k.min(DEPTH) + SLACK
    }

    /// Packs columns `cols` (of one panel) and rows `depth` of B.
    unsafe fn pack_panel(&self, p: &Product, depth: Range<usize>, cols: Range<usize>, out: *mut f32) {
        let b = p.b.from(depth.start, cols.start);
        let (lines, width, k) = (cols.len(), self.padded(cols.len()), depth.len());
        // SAFETY: the caller's: within B, and `out` has room
        unsafe { (self.pack)(&Panel { from: b.at, line: b.columns_by, step: b.rows_by, lines, width, k, out }) }
    }

    /// Rows `rows` of C by columns `cols`, over one part of k; `b` begins with the panel of `cols.start`.
    unsafe fn block(
        &self,
        p: &Product,
        rows: Range<usize>,
        cols: Range<usize>,
        depth: Range<usize>,
        b: *const f32,
        strip: *mut f32,
    ) {
        let k = depth.len();
        for part in Parts::new(rows.len(), 1, self.rows()).all() {
            let (row, height) = (rows.start + part.start, part.len());
            let a = p.a.from(row, depth.start);
            let mut tile = Tile {
                k,
                a: strip,
                a_row: 1,
                a_column: height,
                b,
                b_row: 0,
                c: p.c.wrapping_add(row * p.c_row + cols.start),
                c_row: p.c_row,
                columns: 0,
                alpha: p.alpha,
                accumulate: p.accumulate || depth.start > 0,
            };
            // SAFETY: within A, B and C, as the caller says; the strip has room for a panel of A
            unsafe {
                let (line, step) = (a.rows_by, a.columns_by);
                (self.pack)(&Panel { from: a.at, line, step, lines: height, width: height, k, out: strip });
                for at in cols.clone().step_by(self.columns()) {
                    tile.columns = self.columns().min(cols.end - at);
                    tile.b_row = self.padded(tile.columns);
                    self.packed[height - 1][tile.b_row / self.lanes - 1](&tile);
                    tile.b = tile.b.add(tile.b_row * k);
                    tile.c = tile.c.wrapping_add(tile.columns);
                }
            }
        }
    }

    /// Bytes of scratch for `alone`.
    pub fn scratch_alone(&self, _m: usize, n: usize, k: usize) -> usize {
        (k.min(DEPTH) * self.padded(n.min(WIDTH)) + SLACK + self.strip(k).next_multiple_of(16)) * 4
    }

    /// The whole product on this thread.
    ///
    /// # Safety
    /// The matrices lie in memory as the product says, `c` apart from the others; `scratch` as `scratch_alone`.
    pub unsafe fn alone(&self, p: &Product, scratch: *mut f32) {
        if p.m == 0 || p.n == 0 {
            return;
        }
        for cols in Parts::new(p.n, self.columns(), WIDTH).all() {
            for depth in depths(p.k).all() {
                // SAFETY: within the product, and the scratch holds a strip, then a block of B
                unsafe {
                    let packed = scratch.add(self.strip(p.k).next_multiple_of(16));
                    let mut out = packed;
                    for at in cols.clone().step_by(self.columns()) {
                        let panel = at..cols.end.min(at + self.columns());
                        self.pack_panel(p, depth.clone(), panel.clone(), out);
                        out = out.add(self.padded(panel.len()) * depth.len());
                    }
                    self.block(p, 0..p.m, cols.clone(), depth, packed, scratch);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
