//! The single-precision matrix product: blocks that fit the caches, packed, multiplied tile by tile in registers.
//!
//! Each element of C is summed in the order of k, in parts that depend on k alone: its bits are the same whatever block it
//! falls into, whoever computes it, and however many threads there are.
mod few;
pub(crate) mod lanes;
mod micro;
mod pack;
mod parts;
mod peak;
mod sets;
mod team;

pub use few::FEW;
use micro::Micro;
pub use micro::Tile;
pub use pack::{Panels, SLACK};
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

impl Product {
    fn columns(&self, cols: Range<usize>) -> Product {
        Product { n: cols.len(), b: self.b.from(0, cols.start), c: self.c.wrapping_add(cols.start), ..*self }
    }
}

/// Most of k in one go, and of columns and rows in one block: a block of B takes up to 1 MB, and stays in the second cache or
/// near it while the rows of a block of A pass over it.
const DEPTH: usize = 512;
const WIDTH: usize = 512;
const HEIGHT: usize = 112;

/// Floats from one column of A to the next up to which low tiles read it where it lies.
const NEAR: usize = 256;

/// The parts of k that are summed each in one go.
fn depths(k: usize) -> Parts {
    Parts::new(k, 16, DEPTH)
}

/// Asks for the first `columns` of some rows, each in one piece.
fn fetch(a: Matrix, rows: usize, columns: usize) {
    for row in 0..rows {
        for column in (0..columns).step_by(16) {
            lanes::fetch(a.from(row, column).at);
        }
    }
}

impl Set {
    /// Columns rounded up to whole vectors.
    fn padded(&self, columns: usize) -> usize {
        columns.next_multiple_of(self.lanes)
    }
    /// Whether tiles read A where it lies. Rows or columns a multiple of a page apart push each other out of the nearest cache,
    /// whose sets repeat each page. A low tile uses only a part of each line that a column brings.
    fn reads_in_place(&self, a: Matrix) -> bool {
        match (a.rows_by, a.columns_by) {
            (by, 1) => !by.is_multiple_of(1024),
            (1, by) if self.rows() > 8 => !by.is_multiple_of(1024),
            (1, by) => by <= NEAR,
            _ => false,
        }
    }
    /// Floats for a packed block of A.
    fn strip(&self, m: usize, k: usize) -> usize {
        let rows = m.min(HEIGHT);
        (rows * k.min(DEPTH) + self.panels_of(rows).parts * SLACK).next_multiple_of(16)
    }
    /// The panels of rows of a block of A; none is much lower than the others.
    fn panels_of(&self, rows: usize) -> Parts {
        Parts::new(rows, 1, self.rows())
    }

    /// Packs `k` rows from `first` on of columns `cols` of B over `depth`, all in panels from `out` on.
    unsafe fn pack_b(&self, p: &Product, depth: Range<usize>, cols: Range<usize>, chunk: Range<usize>, out: *mut f32) {
        let b = p.b.from(depth.start, cols.start);
        let wide = self.columns();
        let panels = Panels {
            from: b.at,
            line: b.columns_by,
            step: b.rows_by,
            lines: Parts::new(cols.len(), wide, wide),
            unit: self.lanes,
            first: chunk.start,
            k: chunk.len(),
            depth: depth.len(),
            out,
            gap: 0,
        };
        // SAFETY: the caller's: within B, and `out` has room
        unsafe { (self.pack)(&panels) }
    }

    /// Rows `rows` of C (at most HEIGHT) by columns `cols`, over one part of k; `b` begins with the panel of `cols.start`.
    unsafe fn block(
        &self,
        p: &Product,
        rows: Range<usize>,
        cols: Range<usize>,
        depth: Range<usize>,
        b: *const f32,
        strip: *mut f32,
    ) {
        let a = p.a.from(rows.start, depth.start);
        let panels = Panels {
            from: a.at,
            line: a.rows_by,
            step: a.columns_by,
            lines: self.panels_of(rows.len()),
            unit: 1,
            first: 0,
            k: depth.len(),
            depth: depth.len(),
            out: strip,
            gap: SLACK,
        };
        let packed = !self.reads_in_place(a);
        if packed {
            // SAFETY: within A, and the strip has room for a block of A
            unsafe { (self.pack)(&panels) };
        }
        for i in 0..panels.lines.parts {
            let part = panels.lines.at(i);
            let (row, height) = (rows.start + part.start, part.len());
            let here = a.from(part.start, 0);
            let tile = Tile {
                k: depth.len(),
                a: if packed { strip.wrapping_add(panels.offset(i)) } else { here.at },
                a_row: if packed { 1 } else { here.rows_by },
                a_column: if packed { height } else { here.columns_by },
                b,
                b_row: 0,
                c: p.c.wrapping_add(row * p.c_row + cols.start),
                c_row: p.c_row,
                columns: cols.len(),
                alpha: p.alpha,
                accumulate: p.accumulate || depth.start > 0,
            };
            let tiles = if packed { self.packed[height - 1] } else { self.direct[height - 1] };
            let next = (!packed && a.columns_by == 1 && i + 1 < panels.lines.parts).then(|| {
                let next = panels.lines.at(i + 1);
                (a.from(next.start, 0), next.len())
            });
            // SAFETY: within A, B and C, as the caller says
            unsafe { self.row_of_tiles(tiles, tile, next) };
        }
    }

    /// A panel of A by every panel of a block of B: `tile` begins with the first, and spans the columns of all. Of the rows
    /// that come next, a part is asked for with each tile: their lines are too many streams for the processor to foresee.
    unsafe fn row_of_tiles(&self, tiles: &[Micro], mut tile: Tile, next: Option<(Matrix, usize)>) {
        let (wide, mut left) = (self.columns(), tile.columns);
        let (count, mut done) = (left.div_ceil(wide), 0);
        while left > 0 {
            if let Some((rows, height)) = next {
                fetch(rows.from(0, done * tile.k / count), height, (done + 1) * tile.k / count - done * tile.k / count);
            }
            tile.columns = wide.min(left);
            tile.b_row = self.padded(tile.columns);
            // SAFETY: the caller's
            unsafe { tiles[tile.b_row / self.lanes - 1](&tile) };
            tile.b = tile.b.wrapping_add(tile.b_row * tile.k);
            tile.c = tile.c.wrapping_add(tile.columns);
            left -= tile.columns;
            done += 1;
        }
    }

    /// Bytes of scratch for `alone`.
    pub fn scratch_alone(&self, m: usize, n: usize, k: usize) -> usize {
        (k.min(DEPTH) * self.padded(n.min(WIDTH)) + self.strip(m, k)).max(self.scratch_few(m, n, k)) * 4
    }

    /// The whole product on this thread.
    ///
    /// # Safety
    /// The matrices lie in memory as the product says, `c` apart from the others; `scratch` as `scratch_alone`.
    pub unsafe fn alone(&self, p: &Product, scratch: *mut f32) {
        if p.m == 0 || p.n == 0 {
            return;
        }
        if self.is_few(p) {
            // SAFETY: the caller's
            return unsafe { self.few_alone(p, scratch) };
        }
        for cols in Parts::new(p.n, self.columns(), WIDTH).all() {
            for depth in depths(p.k).all() {
                // SAFETY: within the product, and the scratch holds a block of A, then one of B
                unsafe {
                    let packed = scratch.add(self.strip(p.m, p.k));
                    self.pack_b(p, depth.clone(), cols.clone(), 0..depth.len(), packed);
                    for rows in Parts::new(p.m, 1, HEIGHT).all() {
                        self.block(p, rows, cols.clone(), depth.clone(), packed, scratch);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
