//! Layer and root-mean-square normalisation of rows, and their gradients.
use super::lanes::{LANES, chunks, load, map, reduce, rows_per_task, store, zip};
use crate::kernel::{Kernel, Scratch};
use crate::memory::Memory;
use crate::reader::{Dtype, Operand, Reader, Result};
use crate::simd::{Simd, mul_add, versions};
use crate::team::Worker;

/// Which normalisation: with a mean and a bias, or without.
trait Kind {
    const CENTRED: bool;
}
struct Layer;
impl Kind for Layer {
    const CENTRED: bool = true;
}
struct Rms;
impl Kind for Rms {
    const CENTRED: bool = false;
}

/// Addresses of the forward pass; bias and mean are those of something else where there are none.
struct Forward {
    width: usize,
    epsilon: f32,
    x: *const f32,
    gain: *const f32,
    bias: *const f32,
    y: *mut f32,
    mean: *mut f32,
    inverse: *mut f32,
}
#[inline(always)]
unsafe fn forward_body<K: Kind, const FMA: bool>(t: &Forward, from: usize, to: usize) {
    let per = 1.0 / t.width as f32;
    for row in from..to {
        // SAFETY: rows `from` to `to` are within every operand
        unsafe {
            let (x, y) = (t.x.add(row * t.width), t.y.add(row * t.width));
            let mut mean = 0.0;
            if K::CENTRED {
                let mut sum = [0.0; LANES];
                chunks(t.width, |i, n| sum = zip(sum, load(x.add(i), n, 0.0), |sum, x| sum + x));
                mean = reduce(sum, |a, b| a + b) * per;
                *t.mean.add(row) = mean;
            }
            let mut sum = [0.0; LANES];
            chunks(t.width, |i, n| {
                sum = zip(sum, load(x.add(i), n, mean), |sum, x| mul_add::<FMA>(x - mean, x - mean, sum));
            });
            let inverse = 1.0 / mul_add::<FMA>(reduce(sum, |a, b| a + b), per, t.epsilon).sqrt();
            *t.inverse.add(row) = inverse;
            chunks(t.width, |i, n| {
                let normal = map(load(x.add(i), n, 0.0), |x| (x - mean) * inverse);
                let scaled = zip(normal, load(t.gain.add(i), n, 0.0), |x, gain| x * gain);
                let bias = if K::CENTRED { load(t.bias.add(i), n, 0.0) } else { [0.0; LANES] };
                store(y.add(i), n, zip(scaled, bias, |x, bias| x + bias));
            });
        }
    }
}
versions! { fn forward<K: Kind>(t: &Forward, from: usize, to: usize) = forward_body }

struct Norm {
    rows: usize,
    width: usize,
    epsilon: f32,
    x: Operand,
    gain: Operand,
    bias: Option<Operand>,
    y: Operand,
    mean: Option<Operand>,
    inverse: Operand,
    body: unsafe fn(&Forward, usize, usize),
}

fn read_forward<K: Kind>(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (rows, width, epsilon) = (r.usize()?, r.usize()?, r.f32()?);
    let (matrix, steps) = ([rows, width], [width, 1]);
    Ok(Box::new(Norm {
        rows,
        width,
        epsilon,
        x: r.operand(Dtype::F32, &matrix, &steps)?,
        gain: r.row(Dtype::F32, width)?,
        bias: if K::CENTRED { Some(r.row(Dtype::F32, width)?) } else { None },
        y: r.operand(Dtype::F32, &matrix, &steps)?,
        mean: if K::CENTRED { Some(r.row(Dtype::F32, rows)?) } else { None },
        inverse: r.row(Dtype::F32, rows)?,
        body: forward::<K>(Simd::best()),
    }))
}
/// Words: rows, width, epsilon, x, gain, bias, y, mean, inverse; y may take the place of x.
pub fn read_layer_norm(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    read_forward::<Layer>(r)
}
/// Words: rows, width, epsilon, x, gain, y, inverse; y may take the place of x.
pub fn read_rms_norm(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    read_forward::<Rms>(r)
}

impl Kernel for Norm {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let t = Forward {
            width: self.width,
            epsilon: self.epsilon,
            x: memory.at(self.x),
            gain: memory.at(self.gain),
            bias: memory.at(self.bias.unwrap_or(self.gain)),
            y: memory.at(self.y),
            mean: memory.at(self.mean.unwrap_or(self.inverse)),
            inverse: memory.at(self.inverse),
        };
        let batch = rows_per_task(self.width);
        worker.each(self.rows.div_ceil(batch), |task| {
            // SAFETY: the rows are within operands that were checked, and only this task writes them
            unsafe { (self.body)(&t, task * batch, self.rows.min((task + 1) * batch)) };
        });
    }
}

/// Addresses of the gradient; the mean is that of something else where there is none.
struct Backward {
    width: usize,
    x: *const f32,
    gain: *const f32,
    mean: *const f32,
    inverse: *const f32,
    g: *const f32,
    dx: *mut f32,
}
/// Rows `from` to `to`, whose sums for gain and bias are left in `sums`.
#[inline(always)]
unsafe fn backward_body<K: Kind, const FMA: bool>(t: &Backward, from: usize, to: usize, sums: *mut f32) {
    let per = 1.0 / t.width as f32;
    // SAFETY: rows `from` to `to` are within every operand, and `sums` holds a row for the gain, and one for the bias
    unsafe {
        let (for_gain, for_bias) = (sums, sums.add(if K::CENTRED { t.width } else { 0 }));
        for i in 0..t.width * if K::CENTRED { 2 } else { 1 } {
            *sums.add(i) = 0.0;
        }
        for row in from..to {
            let at = row * t.width;
            let (x, g, dx) = (t.x.add(at), t.g.add(at), t.dx.add(at));
            let mean = if K::CENTRED { *t.mean.add(row) } else { 0.0 };
            let inverse = *t.inverse.add(row);
            let (mut plain, mut weighed) = ([0.0; LANES], [0.0; LANES]);
            chunks(t.width, |i, n| {
                let dn = zip(load(g.add(i), n, 0.0), load(t.gain.add(i), n, 0.0), |g, gain| g * gain);
                let normal = map(load(x.add(i), n, 0.0), |x| (x - mean) * inverse);
                if K::CENTRED {
                    plain = zip(plain, dn, |sum, dn| sum + dn);
                }
                let product = zip(dn, normal, |dn, normal| dn * normal);
                weighed = zip(weighed, product, |sum, x| sum + x);
            });
            let plain = reduce(plain, |a, b| a + b) * per;
            let weighed = reduce(weighed, |a, b| a + b) * per;
            chunks(t.width, |i, n| {
                let g = load(g.add(i), n, 0.0);
                let normal = map(load(x.add(i), n, 0.0), |x| (x - mean) * inverse);
                let dn = zip(g, load(t.gain.add(i), n, 0.0), |g, gain| g * gain);
                let slope = zip(dn, normal, |dn, normal| mul_add::<FMA>(-normal, weighed, dn - plain) * inverse);
                store(dx.add(i), n, slope);
                let product = zip(g, normal, |g, normal| g * normal);
                let (gains, biases) = (for_gain.add(i), for_bias.add(i));
                store(gains, n, zip(load(gains, n, 0.0), product, |sum, x| sum + x));
                if K::CENTRED {
                    store(biases, n, zip(load(biases, n, 0.0), g, |sum, x| sum + x));
                }
            });
        }
    }
}
versions! { fn backward<K: Kind>(t: &Backward, from: usize, to: usize, sums: *mut f32) = backward_body }

struct NormGrad {
    rows: usize,
    width: usize,
    x: Operand,
    gain: Operand,
    mean: Option<Operand>,
    inverse: Operand,
    g: Operand,
    dx: Operand,
    dgain: Operand,
    dbias: Option<Operand>,
    body: unsafe fn(&Backward, usize, usize, *mut f32),
}

fn read_backward<K: Kind>(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (rows, width) = (r.usize()?, r.usize()?);
    let (matrix, steps) = ([rows, width], [width, 1]);
    Ok(Box::new(NormGrad {
        rows,
        width,
        x: r.operand(Dtype::F32, &matrix, &steps)?,
        gain: r.row(Dtype::F32, width)?,
        mean: if K::CENTRED { Some(r.row(Dtype::F32, rows)?) } else { None },
        inverse: r.row(Dtype::F32, rows)?,
        g: r.operand(Dtype::F32, &matrix, &steps)?,
        dx: r.operand(Dtype::F32, &matrix, &steps)?,
        dgain: r.row(Dtype::F32, width)?,
        dbias: if K::CENTRED { Some(r.row(Dtype::F32, width)?) } else { None },
        body: backward::<K>(Simd::best()),
    }))
}
/// Words: rows, width, x, gain, mean, inverse, g, dx, dgain, dbias; dx may take the place of x or g.
pub fn read_layer_norm_grad(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    read_backward::<Layer>(r)
}
/// Words: rows, width, x, gain, inverse, g, dx, dgain; dx may take the place of x or g.
pub fn read_rms_norm_grad(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    read_backward::<Rms>(r)
}

/// Rows whose sums are added up in one go: the same for any team, so that the sums are.
const BATCH: usize = 64;
/// Columns of one task that adds up the batches' sums.
const COLUMNS: usize = 512;

impl NormGrad {
    fn sums(&self) -> usize {
        self.width * if self.dbias.is_some() { 2 } else { 1 }
    }
}

impl Kernel for NormGrad {
    fn scratch(&self, _threads: usize) -> Scratch {
        Scratch { shared: self.rows.div_ceil(BATCH) * self.sums() * 4, own: 0 }
    }

    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let t = Backward {
            width: self.width,
            x: memory.at(self.x),
            gain: memory.at(self.gain),
            mean: memory.at(self.mean.unwrap_or(self.inverse)),
            inverse: memory.at(self.inverse),
            g: memory.at(self.g),
            dx: memory.at(self.dx),
        };
        let (width, batches) = (self.width, self.rows.div_ceil(BATCH));
        let partial = memory.shared.cast::<f32>();
        worker.each(batches, |task| {
            // SAFETY: the rows are within operands that were checked; the scratch has a place for each batch
            unsafe {
                let sums = partial.add(task * self.sums());
                (self.body)(&t, task * BATCH, self.rows.min((task + 1) * BATCH), sums);
            }
        });
        let (dgain, dbias) = (memory.at::<f32>(self.dgain), self.dbias.map(|o| memory.at::<f32>(o)));
        worker.each(self.sums().div_ceil(COLUMNS), |task| {
            for i in task * COLUMNS..self.sums().min((task + 1) * COLUMNS) {
                // SAFETY: column i of every batch, and of the result
                unsafe {
                    let mut sum = 0.0;
                    for batch in 0..batches {
                        sum += *partial.add(batch * self.sums() + i);
                    }
                    match dbias {
                        Some(dbias) if i >= width => *dbias.add(i - width) = sum,
                        _ => *dgain.add(i) = sum,
                    }
                }
            }
        });
    }
}
