//! What several kernels are made of: indices, and operands of any element type.
use crate::kernel::Kernel;
use crate::memory::Memory;
use crate::reader::{Dtype, Operand, Reader, Result};
use crate::team::Worker;

/// Whole numbers that name rows; a negative one counts from the end.
pub struct Indices {
    wide: bool,
    operand: Operand,
}

impl Indices {
    /// Words: i32 or i64, operand.
    pub fn read(r: &mut Reader, count: usize) -> Result<Indices> {
        let dtype = r.dtype()?;
        if dtype != Dtype::I32 && dtype != Dtype::I64 {
            return Err("indices are i32 or i64".into());
        }
        Ok(Indices { wide: dtype == Dtype::I64, operand: r.row(dtype, count)? })
    }

    fn value(&self, memory: &Memory, i: usize) -> i64 {
        // SAFETY: the operand was checked to hold every index
        unsafe {
            if self.wide {
                *memory.at::<i64>(self.operand).add(i)
            } else {
                i64::from(*memory.at::<i32>(self.operand).add(i))
            }
        }
    }

    /// Row `i`'s index, if it is inside `0..limit`.
    pub fn at(&self, memory: &Memory, i: usize, limit: usize) -> Option<usize> {
        let id = self.value(memory, i);
        let at = if id < 0 { id + limit as i64 } else { id };
        usize::try_from(at).ok().filter(|&at| at < limit)
    }
}

/// An operand whose elements are only moved.
pub struct Bytes {
    pub size: usize,
    pub operand: Operand,
}

impl Bytes {
    /// # Safety
    /// Element `from` of this operand and element `to.1` of the other are inside what was checked.
    pub unsafe fn copy_element(&self, memory: &Memory, from: usize, to: (&Bytes, usize)) {
        let source = memory.bytes(self.operand, self.size).wrapping_add(from * self.size);
        let target = memory.bytes(to.0.operand, self.size).wrapping_add(to.1 * self.size);
        // SAFETY: by the caller's word; two operands of one instruction do not overlap
        unsafe { std::ptr::copy_nonoverlapping(source, target, self.size) };
    }
}

/// Ends the run where an index is outside.
struct CheckIndices {
    count: usize,
    limit: usize,
    indices: Indices,
}

/// Words: count, limit, indices (type, operand).
pub fn read_check_indices(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (count, limit) = (r.usize()?, r.usize()?);
    Ok(Box::new(CheckIndices { count, limit, indices: Indices::read(r, count)? }))
}

impl Kernel for CheckIndices {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        worker.once(|| {
            let bad = (0..self.count).find(|&i| self.indices.at(memory, i, self.limit).is_none());
            if let Some(i) = bad {
                worker.fail(format!(
                    "index {} is outside 0 to {}",
                    self.indices.value(memory, i),
                    self.limit as i64 - 1
                ));
            }
        });
    }
}
