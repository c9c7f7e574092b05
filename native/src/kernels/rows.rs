//! Reading and writing by index: rows of a table, one element of each row, the check that an index is inside.
use super::shared::{Bytes, Indices};
use crate::kernel::Kernel;
use crate::memory::Memory;
use crate::reader::{Dtype, Operand, Reader, Result};
use crate::team::Worker;

/// Rows of a table `[V W]` by index, copied to `[N W]`.
struct Gather {
    rows: usize,
    width: usize,
    limit: usize,
    bytes: usize,
    indices: Indices,
    table: Operand,
    out: Operand,
}

/// Words: N, W, V, element type, indices (type, operand), table, out.
pub fn read_gather(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (rows, width, limit, dtype) = (r.usize()?, r.usize()?, r.usize()?, r.dtype()?);
    let indices = Indices::read(r, rows)?;
    let table = r.operand(dtype, &[limit, width], &[width, 1])?;
    let out = r.operand(dtype, &[rows, width], &[width, 1])?;
    Ok(Box::new(Gather { rows, width, limit, bytes: dtype.bytes(), indices, table, out }))
}

const BATCH: usize = 64;

impl Kernel for Gather {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let row = self.width * self.bytes;
        let (table, out) = (memory.bytes(self.table, self.bytes), memory.bytes(self.out, self.bytes));
        worker.each(self.rows.div_ceil(BATCH), |task| {
            for i in task * BATCH..self.rows.min((task + 1) * BATCH) {
                if let Some(at) = self.indices.at(memory, i, self.limit) {
                    // SAFETY: both rows lie within operands that were checked, and only this task writes this one
                    unsafe { std::ptr::copy_nonoverlapping(table.add(at * row), out.add(i * row), row) };
                }
            }
        });
    }
}

/// `base [V W]` with rows of `updates [N W]` added at their indices; `base` may be the same memory as the result.
struct ScatterAdd {
    rows: usize,
    width: usize,
    limit: usize,
    indices: Indices,
    /// Absent: zeros.
    base: Option<Operand>,
    updates: Operand,
    out: Operand,
}

/// Words: N, W, V, indices (type, operand), whether there is a base, base, updates, out.
pub fn read_scatter_add(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (rows, width, limit) = (r.usize()?, r.usize()?, r.usize()?);
    let indices = Indices::read(r, rows)?;
    let base = if r.bool()? { Some(r.operand(Dtype::F32, &[limit, width], &[width, 1])?) } else { None };
    let updates = r.operand(Dtype::F32, &[rows, width], &[width, 1])?;
    let out = r.operand(Dtype::F32, &[limit, width], &[width, 1])?;
    Ok(Box::new(ScatterAdd { rows, width, limit, indices, base, updates, out }))
}

impl Kernel for ScatterAdd {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let width = self.width;
        let (updates, out) = (memory.at::<f32>(self.updates), memory.at::<f32>(self.out));
        // a task owns some rows of the table and looks for their updates in order: the sums are the same for any team
        let share = self.limit.div_ceil(16).max(1);
        worker.each(self.limit.div_ceil(share), |task| {
            let (low, high) = (task * share, self.limit.min((task + 1) * share));
            // SAFETY: rows low to high belong to this task, in operands that were checked
            unsafe {
                let own = out.add(low * width);
                match self.base {
                    Some(base) if memory.at::<f32>(base) != out => {
                        let from = memory.at::<f32>(base).add(low * width);
                        std::ptr::copy_nonoverlapping(from, own, (high - low) * width);
                    }
                    Some(_) => {}
                    None => std::ptr::write_bytes(own, 0, (high - low) * width),
                }
                for i in 0..self.rows {
                    if let Some(at) = self.indices.at(memory, i, self.limit).filter(|at| (low..high).contains(at)) {
                        let (from, to) = (updates.add(i * width), out.add(at * width));
                        for w in 0..width {
                            *to.add(w) += *from.add(w);
                        }
                    }
                }
            }
        });
    }
}

/// One element of each row of `x [N V]` by index.
struct GatherLast {
    rows: usize,
    width: usize,
    indices: Indices,
    x: Bytes,
    out: Bytes,
}

/// Words: N, V, element type, indices (type, operand), x, out.
pub fn read_gather_last(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (rows, width, dtype) = (r.usize()?, r.usize()?, r.dtype()?);
    let indices = Indices::read(r, rows)?;
    let x = Bytes { size: dtype.bytes(), operand: r.operand(dtype, &[rows, width], &[width, 1])? };
    let out = Bytes { size: dtype.bytes(), operand: r.row(dtype, rows)? };
    Ok(Box::new(GatherLast { rows, width, indices, x, out }))
}

impl Kernel for GatherLast {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        worker.once(|| {
            for i in 0..self.rows {
                if let Some(at) = self.indices.at(memory, i, self.width) {
                    // SAFETY: inside operands that were checked
                    unsafe { self.x.copy_element(memory, i * self.width + at, (&self.out, i)) };
                }
            }
        });
    }
}

/// `base [N V]` with one update added in each row, at its index.
struct ScatterLast {
    rows: usize,
    width: usize,
    indices: Indices,
    base: Option<Operand>,
    updates: Operand,
    out: Operand,
}

/// Words: N, V, indices (type, operand), whether there is a base, base, updates, out.
pub fn read_scatter_last(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (rows, width) = (r.usize()?, r.usize()?);
    let indices = Indices::read(r, rows)?;
    let base = if r.bool()? { Some(r.operand(Dtype::F32, &[rows, width], &[width, 1])?) } else { None };
    let updates = r.row(Dtype::F32, rows)?;
    let out = r.operand(Dtype::F32, &[rows, width], &[width, 1])?;
    Ok(Box::new(ScatterLast { rows, width, indices, base, updates, out }))
}

impl Kernel for ScatterLast {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let (width, out) = (self.width, memory.at::<f32>(self.out));
        worker.each(self.rows, |i| {
            // SAFETY: row i belongs to this task, in operands that were checked
            unsafe {
                let row = out.add(i * width);
                match self.base {
                    Some(base) if memory.at::<f32>(base) != out => {
                        std::ptr::copy_nonoverlapping(memory.at::<f32>(base).add(i * width), row, width);
                    }
                    Some(_) => {}
                    None => std::ptr::write_bytes(row, 0, width),
                }
                if let Some(at) = self.indices.at(memory, i, width) {
                    *row.add(at) += *memory.at::<f32>(self.updates).add(i);
                }
            }
        });
    }
}

/// The place of the largest of `[A R B]` along R, the first where several are; i32.
struct Argmax {
    sizes: [usize; 3],
    x: Operand,
    out: Operand,
}

/// Words: A, R, B, x (f32), out (i32).
pub fn read_argmax(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let [a, n, b] = [r.usize()?, r.usize()?, r.usize()?];
    let inner = n.checked_mul(b).ok_or("these sizes are too large")?;
    let x = r.operand(Dtype::F32, &[a, n, b], &[inner, b, 1])?;
    let out = r.operand(Dtype::I32, &[a, b], &[b, 1])?;
    Ok(Box::new(Argmax { sizes: [a, n, b], x, out }))
}

impl Kernel for Argmax {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let [a, n, b] = self.sizes;
        let (x, out) = (memory.at::<f32>(self.x), memory.at::<i32>(self.out));
        worker.each(a, |i| {
            for j in 0..b {
                let mut best = 0;
                for k in 1..n {
                    // SAFETY: inside the operand that was checked
                    let (found, old) = unsafe { (*x.add((i * n + k) * b + j), *x.add((i * n + best) * b + j)) };
                    if found > old {
                        best = k;
                    }
                }
                // SAFETY: as above; only this task writes row i
                unsafe { *out.add(i * b + j) = best as i32 };
            }
        });
    }
}
