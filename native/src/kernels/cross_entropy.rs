//! Cross-entropy of rows of logits, and its gradient.
use super::lanes::{chunks, load, map, rows_per_task, store};
use super::softmax::exponentials;
use crate::kernel::Kernel;
use crate::math;
use crate::memory::Memory;
use crate::reader::{Dtype, Operand, Reader, Result};
use crate::simd::{Simd, versions};
use crate::team::Worker;

/// The place that a label names in a row of `width`; a negative one counts from the end, and one outside names none.
pub fn place(label: i32, width: usize) -> Option<usize> {
    let label = i64::from(label);
    let at = if label < 0 { label + width as i64 } else { label };
    usize::try_from(at).ok().filter(|&at| at < width)
}

/// A row's loss, and the logarithm of its sum of exponentials. The loss of a label outside is not a number.
///
/// # Safety
/// `x` holds `width` elements.
#[inline(always)]
pub unsafe fn row_loss<const FMA: bool>(x: *const f32, width: usize, label: i32) -> (f32, f32) {
    // SAFETY: the caller's, and a place is below the width
    unsafe {
        let (top, sum) = exponentials::<FMA>(x, width);
        let log = math::log::<FMA>(sum);
        // the largest is taken off first: near it, the loss keeps its digits
        let loss = place(label, width).map_or(f32::NAN, |at| log - (*x.add(at) - top));
        (loss, top + log)
    }
}

/// A row of probabilities less one at the label, times `g`; `out` may be `x`.
///
/// # Safety
/// `x` and `out` hold `width` elements.
#[inline(always)]
pub unsafe fn row_slope<const FMA: bool>(x: *const f32, out: *mut f32, width: usize, label: i32, lse: f32, g: f32) {
    // SAFETY: the caller's, and a place is below the width
    unsafe {
        chunks(width, |i, n| store(out.add(i), n, map(load(x.add(i), n, 0.0), |x| math::exp::<FMA>(x - lse) * g)));
        if let Some(at) = place(label, width) {
            *out.add(at) -= g;
        }
    }
}

#[derive(Clone, Copy)]
struct Loss {
    width: usize,
    stride: usize,
    logits: *const f32,
    labels: *const i32,
    loss: *mut f32,
    lse: *mut f32,
}
#[inline(always)]
unsafe fn losses_body<const FMA: bool>(t: &Loss, from: usize, to: usize) {
    for row in from..to {
        // SAFETY: rows `from` to `to` are within every operand
        unsafe {
            let (loss, lse) = row_loss::<FMA>(t.logits.add(row * t.stride), t.width, *t.labels.add(row));
            (*t.loss.add(row), *t.lse.add(row)) = (loss, lse);
        }
    }
}
versions! { fn losses(t: &Loss, from: usize, to: usize) = losses_body }

struct CrossEntropy {
    rows: usize,
    width: usize,
    stride: usize,
    logits: Operand,
    labels: Operand,
    loss: Operand,
    lse: Operand,
}

/// Words: rows, width, row stride and operand of the logits, labels (i32), loss, lse.
pub fn read_cross_entropy(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (rows, width, stride) = (r.usize()?, r.usize()?, r.usize()?);
    Ok(Box::new(CrossEntropy {
        rows,
        width,
        stride,
        logits: r.operand(Dtype::F32, &[rows, width], &[stride, 1])?,
        labels: r.row(Dtype::I32, rows)?,
        loss: r.row(Dtype::F32, rows)?,
        lse: r.row(Dtype::F32, rows)?,
    }))
}

impl Kernel for CrossEntropy {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let t = Loss {
            width: self.width,
            stride: self.stride,
            logits: memory.at(self.logits),
            labels: memory.at(self.labels),
            loss: memory.at(self.loss),
            lse: memory.at(self.lse),
        };
        let (body, batch) = (losses(Simd::best()), rows_per_task(self.width));
        worker.each(self.rows.div_ceil(batch), |task| {
            // SAFETY: the rows are within operands that were checked, and only this task writes them
            unsafe { body(&t, task * batch, self.rows.min((task + 1) * batch)) };
        });
    }
}

#[derive(Clone, Copy)]
struct Slope {
    width: usize,
    logits: *const f32,
    labels: *const i32,
    lse: *const f32,
    g: *const f32,
    out: *mut f32,
}
#[inline(always)]
unsafe fn slopes_body<const FMA: bool>(t: &Slope, from: usize, to: usize) {
    for row in from..to {
        // SAFETY: rows `from` to `to` are within every operand
        unsafe {
            let (x, out) = (t.logits.add(row * t.width), t.out.add(row * t.width));
            row_slope::<FMA>(x, out, t.width, *t.labels.add(row), *t.lse.add(row), *t.g.add(row));
        }
    }
}
versions! { fn slopes(t: &Slope, from: usize, to: usize) = slopes_body }

struct CrossEntropyGrad {
    rows: usize,
    width: usize,
    logits: Operand,
    labels: Operand,
    lse: Operand,
    g: Operand,
    out: Operand,
}

/// Words: rows, width, logits, labels (i32), lse, g, gradient of the logits, which may take the logits' place.
pub fn read_cross_entropy_grad(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (rows, width) = (r.usize()?, r.usize()?);
    Ok(Box::new(CrossEntropyGrad {
        rows,
        width,
        logits: r.operand(Dtype::F32, &[rows, width], &[width, 1])?,
        labels: r.row(Dtype::I32, rows)?,
        lse: r.row(Dtype::F32, rows)?,
        g: r.row(Dtype::F32, rows)?,
        out: r.operand(Dtype::F32, &[rows, width], &[width, 1])?,
    }))
}

impl Kernel for CrossEntropyGrad {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let t = Slope {
            width: self.width,
            logits: memory.at(self.logits),
            labels: memory.at(self.labels),
            lse: memory.at(self.lse),
            g: memory.at(self.g),
            out: memory.at(self.out),
        };
        let (body, batch) = (slopes(Simd::best()), rows_per_task(self.width));
        worker.each(self.rows.div_ceil(batch), |task| {
            // SAFETY: the rows are within operands that were checked, and only this task writes them
            unsafe { body(&t, task * batch, self.rows.min((task + 1) * batch)) };
        });
    }
}
