//! The head of a language model: a linear layer and the cross-entropy of its result, some rows at a time, so that the logits are
//! never all there; and the gradients of both in the same sweep.
use super::cross_entropy::{row_loss, row_slope};
use super::lanes::{chunks, load, rows_per_task, store, zip};
use crate::gemm::{Matrix, Product, Set};
use crate::kernel::{Kernel, Scratch};
use crate::memory::Memory;
use crate::reader::{Dtype, Operand, Reader, Result};
use crate::simd::{Simd, versions};
use crate::team::Worker;
use std::ops::Range;

/// Logits that are there at once: 64 MB, half as many more where that spares a chunk, or of 32 to 64 rows where those take
/// more. Fewer would read and write the weights' gradient more often than its products take.
const LOGITS: usize = 1 << 24;
const ROWS: usize = 64;

/// Where the gradients go, and the cotangent of each loss.
struct Gradient {
    g: Operand,
    g_by: usize,
    dh: Operand,
    dw: Operand,
    dbias: Option<Operand>,
}

struct Head {
    set: &'static Set,
    rows: usize,
    width: usize,
    vocabulary: usize,
    h: Operand,
    w: Operand,
    bias: Option<Operand>,
    labels: Operand,
    loss: Operand,
    /// Absent with a gradient, which is all that it is for.
    lse: Option<Operand>,
    gradient: Option<Gradient>,
}

/// Words: N, D, V, whether there is a bias, whether there are gradients; h [N D], w [V D], bias [V], labels (i32), loss [N];
/// then lse [N], or the step and operand of g, dh, dw and, with a bias, dbias.
pub fn read(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (rows, width, vocabulary) = (r.usize()?, r.usize()?, r.usize()?);
    let (biased, learns) = (r.bool()?, r.bool()?);
    let row_major = |r: &mut Reader, n: usize| r.operand(Dtype::F32, &[n, width], &[width, 1]);
    let (h, w) = (row_major(r, rows)?, row_major(r, vocabulary)?);
    let column = |r: &mut Reader| if biased { r.row(Dtype::F32, vocabulary).map(Some) } else { Ok(None) };
    let bias = column(r)?;
    let (labels, loss) = (r.row(Dtype::I32, rows)?, r.row(Dtype::F32, rows)?);
    let lse = if learns { None } else { Some(r.row(Dtype::F32, rows)?) };
    let gradient = if learns {
        let g_by = r.usize()?;
        let g = r.operand(Dtype::F32, &[rows], &[g_by])?;
        let (dh, dw) = (row_major(r, rows)?, row_major(r, vocabulary)?);
        Some(Gradient { g, g_by, dh, dw, dbias: column(r)? })
    } else {
        None
    };
    Ok(Box::new(Head { set: Set::best(), rows, width, vocabulary, h, w, bias, labels, loss, lse, gradient }))
}

/// The rows of one chunk, at one address each.
#[derive(Clone, Copy)]
struct Rows {
    width: usize,
    logits: *mut f32,
    /// Null where there is none.
    bias: *const f32,
    labels: *const i32,
    loss: *mut f32,
    /// Null where nobody asks.
    lse: *mut f32,
    /// Null where there is no gradient.
    g: *const f32,
    g_by: usize,
}

#[inline(always)]
unsafe fn rows_body<const FMA: bool>(t: &Rows, from: usize, to: usize) {
    for row in from..to {
        // SAFETY: rows `from` to `to` are within every operand
        unsafe {
            let x = t.logits.add(row * t.width);
            if !t.bias.is_null() {
                chunks!(t.width, |i, n| {
                    store(x.add(i), n, zip(load(x.add(i), n, 0.0), load(t.bias.add(i), n, 0.0), |a, b| a + b));
                });
            }
            let label = *t.labels.add(row);
            let (loss, lse) = row_loss::<FMA>(x, t.width, label);
            *t.loss.add(row) = loss;
            if !t.lse.is_null() {
                *t.lse.add(row) = lse;
            }
            if !t.g.is_null() {
                row_slope::<FMA>(x, x, t.width, label, lse, *t.g.add(row * t.g_by));
            }
        }
    }
}
versions! { fn rows_of(t: &Rows, from: usize, to: usize) = rows_body }

impl Head {
    /// Rows of a chunk: none is much smaller than the others, since each reads all weights.
    fn chunk(&self) -> usize {
        let logits = self.rows.saturating_mul(self.vocabulary);
        let chunks = (logits.saturating_add(LOGITS / 2) / LOGITS).clamp(1, self.rows.div_ceil(ROWS).max(1));
        self.rows.div_ceil(chunks).max(1)
    }

    /// Scratch of the three products, which takes the first part of the shared scratch.
    fn products(&self) -> Scratch {
        let (rows, width, vocabulary) = (self.chunk(), self.width, self.vocabulary);
        let all = [(rows, vocabulary, width), (rows, width, vocabulary), (vocabulary, width, rows)];
        let most =
            all.map(|(m, n, k)| self.set.scratch_team(m, n, k)).into_iter().fold(Scratch::default(), Scratch::max);
        Scratch { shared: most.shared.next_multiple_of(64), own: most.own }
    }

    unsafe fn multiply(&self, memory: &Memory, worker: &Worker, product: &Product) {
        let own = memory.own[worker.index].cast();
        // SAFETY: the operands were checked, and the scratch is as large as `products` says
        unsafe { self.set.team(worker, product, memory.shared.cast(), own, &|_, _| {}) };
    }

    unsafe fn chunk_of(&self, memory: &Memory, worker: &Worker, rows: Range<usize>) {
        let (width, vocabulary) = (self.width, self.vocabulary);
        // SAFETY: behind the products' scratch there is room for a chunk of logits
        let logits: *mut f32 = unsafe { memory.shared.add(self.products().shared) }.cast();
        let h = memory.at::<f32>(self.h).wrapping_add(rows.start * width);
        let w = memory.at::<f32>(self.w);
        let by_rows = |at: *const f32, n: usize| Matrix { at, rows_by: n, columns_by: 1 };
        let by_columns = |at: *const f32, n: usize| Matrix { at, rows_by: 1, columns_by: n };
        let forward = Product {
            m: rows.len(),
            n: vocabulary,
            k: width,
            a: by_rows(h, width),
            b: by_columns(w, width),
            c: logits,
            c_row: vocabulary,
            alpha: 1.0,
            accumulate: false,
        };
        // SAFETY: all operands were checked to hold what is read and written, and chunks follow one another
        unsafe {
            self.multiply(memory, worker, &forward);
            self.losses(memory, worker, rows.clone(), logits);
            let Some(gradient) = &self.gradient else { return };
            let dh = memory.at::<f32>(gradient.dh).add(rows.start * width);
            let (a, b) = (by_rows(logits, vocabulary), by_rows(w, width));
            let back = Product { n: width, k: vocabulary, a, b, c: dh, c_row: width, ..forward };
            self.multiply(memory, worker, &back);
            let (a, b) = (by_columns(logits, vocabulary), by_rows(h, width));
            let (c, accumulate) = (memory.at::<f32>(gradient.dw), rows.start > 0);
            let weights =
                Product { m: vocabulary, n: width, k: rows.len(), a, b, c, c_row: width, accumulate, ..forward };
            self.multiply(memory, worker, &weights);
            if let Some(dbias) = gradient.dbias {
                self.columns(worker, &rows, logits, memory.at(dbias));
            }
        }
    }

    unsafe fn losses(&self, memory: &Memory, worker: &Worker, rows: Range<usize>, logits: *mut f32) {
        let at = |o: Operand, by: usize| memory.at::<f32>(o).wrapping_add(rows.start * by);
        let gradient = self.gradient.as_ref();
        let t = Rows {
            width: self.vocabulary,
            logits,
            bias: self.bias.map_or(std::ptr::null(), |b| memory.at(b)),
            labels: memory.at::<i32>(self.labels).wrapping_add(rows.start),
            loss: at(self.loss, 1),
            lse: self.lse.map_or(std::ptr::null_mut(), |o| at(o, 1)),
            g: gradient.map_or(std::ptr::null(), |g| at(g.g, g.g_by)),
            g_by: gradient.map_or(0, |g| g.g_by),
        };
        let (body, batch) = (rows_of(Simd::best()), rows_per_task(self.vocabulary));
        worker.each(rows.len().div_ceil(batch), |task| {
            // SAFETY: the rows are within operands that were checked, and only this task writes them
            unsafe { body(&t, task * batch, rows.len().min((task + 1) * batch)) };
        });
    }

    /// Sums of the columns, onto those of the chunks before.
    unsafe fn columns(&self, worker: &Worker, rows: &Range<usize>, slopes: *const f32, out: *mut f32) {
        let (vocabulary, share) = (self.vocabulary, 1024);
        worker.each(vocabulary.div_ceil(share), |task| {
            for v in task * share..vocabulary.min((task + 1) * share) {
                let first = if rows.start > 0 { unsafe { *out.add(v) } } else { 0.0 };
                // SAFETY: within the chunk's logits and the bias's gradient; only this task writes these columns
                unsafe {
                    *out.add(v) = (0..rows.len()).fold(first, |sum, row| sum + *slopes.add(row * vocabulary + v))
                };
            }
        });
    }
}

impl Kernel for Head {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        if self.vocabulary == 0 || self.rows == 0 {
            return worker.once(|| self.zero(memory));
        }
        for start in (0..self.rows).step_by(self.chunk()) {
            // SAFETY: the caller's
            unsafe { self.chunk_of(memory, worker, start..self.rows.min(start + self.chunk())) };
        }
    }

    fn scratch(&self, _threads: usize) -> Scratch {
        let products = self.products();
        Scratch { shared: products.shared + self.chunk() * self.vocabulary * 4, ..products }
    }
}

impl Head {
    /// Without a row or a word there is nothing to learn.
    fn zero(&self, memory: &Memory) {
        let Some(g) = &self.gradient else { return };
        let dbias = g.dbias.map(|o| (o, self.vocabulary));
        let all = [Some((g.dh, self.rows * self.width)), Some((g.dw, self.vocabulary * self.width)), dbias];
        for (operand, n) in all.into_iter().flatten() {
            // SAFETY: the operand was checked to hold so many
            unsafe { std::ptr::write_bytes(memory.at::<f32>(operand), 0, n) };
        }
    }
}
