//! Softmax along rows, its logarithm, and its gradient.
use super::lanes::{LANES, chunks, load, map, maximum, reduce, rows_per_task, store, zip};
use crate::kernel::Kernel;
use crate::math;
use crate::memory::Memory;
use crate::reader::{Dtype, Operand, Reader, Result};
use crate::simd::{Simd, mul_add, versions};
use crate::team::Worker;

/// The largest of a row, and the sum of exponentials of what lies below it.
///
/// # Safety
/// `x` holds `width` elements.
#[inline(always)]
pub unsafe fn exponentials<const FMA: bool>(x: *const f32, width: usize) -> (f32, f32) {
    // SAFETY: the caller's
    unsafe {
        let top = maximum(x, width);
        let mut sum = [0.0; LANES];
        chunks(width, |i, n| {
            let x = load(x.add(i), n, f32::NEG_INFINITY);
            sum = zip(sum, x, |sum, x| sum + math::exp::<FMA>(x - top));
        });
        (top, reduce(sum, |a, b| a + b))
    }
}

/// Rows in, rows out; the output may be the last input's memory.
type Body = unsafe fn(*const f32, *const f32, *mut f32, usize);

#[inline(always)]
unsafe fn softmax_body<const FMA: bool>(x: *const f32, _: *const f32, y: *mut f32, width: usize) {
    // SAFETY: rows of `width`, by the caller's word
    unsafe {
        let top = maximum(x, width);
        let mut sum = [0.0; LANES];
        chunks(width, |i, n| {
            let mut e = load(x.add(i), n, f32::NEG_INFINITY);
            for (e, sum) in e.iter_mut().zip(&mut sum) {
                *e = math::exp::<FMA>(*e - top);
                *sum += *e;
            }
            store(y.add(i), n, e);
        });
        let scale = 1.0 / reduce(sum, |a, b| a + b);
        chunks(width, |i, n| store(y.add(i), n, map(load(y.add(i), n, 0.0), |e| e * scale)));
    }
}
versions! { fn softmax(x: *const f32, none: *const f32, y: *mut f32, width: usize) = softmax_body }

#[inline(always)]
unsafe fn log_softmax_body<const FMA: bool>(x: *const f32, _: *const f32, y: *mut f32, width: usize) {
    // SAFETY: rows of `width`, by the caller's word
    unsafe {
        let (top, sum) = exponentials::<FMA>(x, width);
        let log = math::log::<FMA>(sum);
        chunks(width, |i, n| store(y.add(i), n, map(load(x.add(i), n, 0.0), |x| (x - top) - log)));
    }
}
versions! { fn log_softmax(x: *const f32, none: *const f32, y: *mut f32, width: usize) = log_softmax_body }

#[inline(always)]
unsafe fn softmax_grad_body<const FMA: bool>(y: *const f32, g: *const f32, dx: *mut f32, width: usize) {
    // SAFETY: rows of `width`, by the caller's word
    unsafe {
        let mut sum = [0.0; LANES];
        chunks(width, |i, n| {
            let (y, g) = (load(y.add(i), n, 0.0), load(g.add(i), n, 0.0));
            for (sum, (y, g)) in sum.iter_mut().zip(y.into_iter().zip(g)) {
                *sum = mul_add::<FMA>(y, g, *sum);
            }
        });
        let mean = reduce(sum, |a, b| a + b);
        chunks(width, |i, n| {
            let (y, g) = (load(y.add(i), n, 0.0), load(g.add(i), n, 0.0));
            store(dx.add(i), n, zip(y, g, |y, g| y * (g - mean)));
        });
    }
}
versions! { fn softmax_grad(y: *const f32, g: *const f32, dx: *mut f32, width: usize) = softmax_grad_body }

struct Rows {
    rows: usize,
    width: usize,
    inputs: [Operand; 2],
    out: Operand,
    body: Body,
}

fn read(r: &mut Reader, inputs: usize, body: Body) -> Result<Box<dyn Kernel>> {
    let (rows, width) = (r.usize()?, r.usize()?);
    let mut operand = || r.operand(Dtype::F32, &[rows, width], &[width, 1]);
    let first = operand()?;
    let last = if inputs == 2 { operand()? } else { first };
    Ok(Box::new(Rows { rows, width, inputs: [first, last], out: operand()?, body }))
}
/// Words: rows, width, x, y.
pub fn read_softmax(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    read(r, 1, softmax(Simd::best()))
}
/// Words: rows, width, x, y.
pub fn read_log_softmax(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    read(r, 1, log_softmax(Simd::best()))
}
/// Words: rows, width, y, g, dx.
pub fn read_softmax_grad(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    read(r, 2, softmax_grad(Simd::best()))
}

impl Kernel for Rows {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let [x, g] = self.inputs.map(|o| memory.at::<f32>(o));
        let (out, batch) = (memory.at::<f32>(self.out), rows_per_task(self.width));
        worker.each(self.rows.div_ceil(batch), |task| {
            for row in task * batch..self.rows.min((task + 1) * batch) {
                let at = row * self.width;
                // SAFETY: the row lies within operands that were checked, and only this task writes it
                unsafe { (self.body)(x.add(at), g.add(at), out.add(at), self.width) };
            }
        });
    }
}
