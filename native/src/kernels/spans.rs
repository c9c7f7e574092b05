//! Reading and writing some places of one axis, from an index on.
use super::shared::Indices;
use crate::kernel::Kernel;
use crate::memory::Memory;
use crate::reader::{Operand, Reader, Result};
use crate::team::Worker;

/// `[A L I]` and a part of it, `[A N I]`, that begins at an index of the middle axis.
struct Span {
    outer: usize,
    length: usize,
    count: usize,
    /// Bytes behind one place.
    inner: usize,
    element: usize,
    at: Indices,
    whole: Operand,
    part: Operand,
    /// Where the whole goes with the part written into it; absent where the part is read.
    out: Option<Operand>,
}

/// Words: A, L, N, I, element type, index (type, operand), whole, part, and for writing the result.
fn read(r: &mut Reader, writes: bool) -> Result<Box<dyn Kernel>> {
    let [outer, length, count, width] = [r.usize()?, r.usize()?, r.usize()?, r.usize()?];
    if count > length {
        return Err(format!("{count} places are more than {length}"));
    }
    let dtype = r.dtype()?;
    let at = Indices::read(r, 1)?;
    let inner = width.checked_mul(dtype.bytes()).ok_or("these sizes are too large")?;
    let mut operand = |n: usize| {
        let by = n.checked_mul(width).ok_or("these sizes are too large")?;
        r.operand(dtype, &[outer, n, width], &[by, width, 1])
    };
    let (whole, part) = (operand(length)?, operand(count)?);
    let out = if writes { Some(operand(length)?) } else { None };
    Ok(Box::new(Span { outer, length, count, inner, element: dtype.bytes(), at, whole, part, out }))
}
pub fn read_slice(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    read(r, false)
}
pub fn read_write(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    read(r, true)
}

impl Kernel for Span {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let (whole, part) = (memory.bytes(self.whole, self.element), memory.bytes(self.part, self.element));
        let (row, piece) = (self.length * self.inner, self.count * self.inner);
        let first = self.at.at(memory, 0, self.length - self.count + 1);
        worker.each(self.outer, |i| {
            // SAFETY: row `i` of each operand was checked, and only this task writes it
            unsafe {
                let (whole, part) = (whole.add(i * row), part.add(i * piece));
                match self.out.map(|out| memory.bytes(out, self.element).add(i * row)) {
                    Some(out) => {
                        if whole != out {
                            std::ptr::copy_nonoverlapping(whole, out, row);
                        }
                        if let Some(first) = first {
                            std::ptr::copy_nonoverlapping(part, out.add(first * self.inner), piece);
                        }
                    }
                    None => {
                        if let Some(first) = first {
                            std::ptr::copy_nonoverlapping(whole.add(first * self.inner), part, piece);
                        }
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::testing::Case;

    /// A whole of 2 by 4 by 3, and a part of two places.
    fn case(at: i32) -> (Case, usize) {
        let mut case = Case::default();
        case.numbers(&[2, 4, 2, 3, 0, 3]); // f32, indexed by i32
        case.whole(&[at]);
        case.operand(&(0..24).map(|i| i as f32).collect::<Vec<_>>());
        (case, 6)
    }

    #[test]
    fn a_part_is_read_and_written_where_the_index_says() {
        for at in [0, 1, 2] {
            let (mut reading, places) = case(at);
            let part = reading.result(2 * places);
            let read = &reading.run("sliceAt", 3).unwrap()[part];
            let first = |row: usize| (row * 12 + at as usize * 3) as f32;
            let want: Vec<f32> = (0..12).map(|i| first(i / 6) + (i % 6) as f32).collect();
            assert_eq!(read, &want);
            let (mut writing, _) = case(at);
            writing.operand(&[-1.0; 12]);
            let out = writing.result(24);
            let want: Vec<f32> = (0..24).map(|i| if want.contains(&(i as f32)) { -1.0 } else { i as f32 }).collect();
            assert_eq!(&writing.run("writeAt", 3).unwrap()[out], &want);
            writing.refuses_what_does_not_fit("writeAt");
        }
    }

    #[test]
    fn more_places_than_there_are_is_refused() {
        let mut case = Case::default();
        case.numbers(&[1, 2, 3, 1, 0, 3]);
        assert!(case.run("sliceAt", 1).is_err());
    }
}
