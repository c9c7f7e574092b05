//! Batch normalisation in training, and its gradient: x [N C S], each channel over all of its places.
//!
//! Places fall into chunks that do not depend on the threads: each chunk's sums are its own, and are added up in order.
mod bodies;
#[cfg(test)]
mod tests;

use crate::kernel::{Kernel, Scratch};
use crate::kernels::view::{View, bounded};
use crate::memory::Memory;
use crate::reader::{Dtype, Operand, Reader, Result};
use crate::simd::Simd;
use crate::team::Worker;
use bodies::{Run, Size, Table, Totals, gradient, normal, products, squares, total};
use std::ops::Range;

/// Floats of a chunk: it is read twice, the second time from a near cache. Channels whose sums one task adds up.
const FLOATS: usize = 1 << 14;
const CHANNELS: usize = 64;
/// Numbers of each channel that a map takes.
const NUMBERS: usize = 4;

/// Images, channels, and places of an image; of a tensor whose images lie one after another, one image of all places.
struct Shape {
    images: usize,
    channels: usize,
    places: usize,
}

impl Shape {
    fn new([n, c, s]: [usize; 3], views: &[View]) -> Shape {
        let one = views.iter().all(|v| v.by[0] == s * v.by[3]);
        let (images, places) = if one { (1, n * s) } else { (n, s) };
        Shape { images, channels: c, places }
    }
    fn count(&self) -> usize {
        self.images * self.places
    }
    fn chunks(&self) -> usize {
        self.count().div_ceil((FLOATS / self.channels.max(1)).max(8))
    }
    fn chunk(&self, i: usize) -> Range<usize> {
        i * self.count() / self.chunks()..(i + 1) * self.count() / self.chunks()
    }
    /// `f` of each piece of a chunk that lies in one image: its first places in the tensors, and how many.
    fn runs<const T: usize>(
        &self,
        memory: &Memory,
        chunk: usize,
        views: [&View; T],
        mut f: impl FnMut(Size, [Run; T]),
    ) {
        let Range { mut start, end } = self.chunk(chunk);
        while start < end {
            let (image, place) = (start / self.places, start % self.places);
            let places = (end - start).min(self.places - place);
            let run = |v: &View| Run {
                at: v.at(memory).wrapping_add(image * v.by[0] + place * v.by[3]),
                by: v.by[3],
                channel_by: v.by[1],
            };
            f(Size { places, channels: self.channels }, views.map(run));
            start += places;
        }
    }
    /// Scratch: two sums of each channel for every chunk, then the numbers of each channel.
    fn scratch(&self) -> Scratch {
        Scratch { shared: (2 * self.chunks() + NUMBERS) * self.channels * 4, own: 0 }
    }
    fn sums(&self, memory: &Memory, chunk: usize) -> [*mut f32; 2] {
        let first = memory.shared.cast::<f32>().wrapping_add(2 * chunk * self.channels);
        [first, first.wrapping_add(self.channels)]
    }
    fn table(&self, memory: &Memory) -> *mut f32 {
        self.sums(memory, self.chunks())[0]
    }
    /// `f(channel, table)` for every channel, on all threads.
    fn channels(&self, memory: &Memory, worker: &Worker, mut f: impl FnMut(usize, *mut f32)) {
        worker.each(self.channels.div_ceil(CHANNELS), |block| {
            for c in block * CHANNELS..self.channels.min((block + 1) * CHANNELS) {
                f(c, self.table(memory).wrapping_add(c));
            }
        });
    }
    /// What a channel's chunks hold: places, first sum, second sum.
    fn parts(&self, memory: &Memory, c: usize) -> impl Iterator<Item = (f64, f64, f64)> {
        (0..self.chunks()).map(move |i| {
            let [first, second] = self.sums(memory, i).map(|sum| sum.wrapping_add(c));
            // SAFETY: written for every chunk before
            let (a, b) = unsafe { (*first, *second) };
            (self.chunk(i).len() as f64, f64::from(a), f64::from(b))
        })
    }
}

/// y, mean, inverse deviation from x, gain, bias.
struct Normal {
    shape: Shape,
    epsilon: f32,
    x: View,
    gain: Operand,
    bias: Operand,
    y: View,
    mean: Operand,
    inverse: Operand,
}

fn sizes(r: &mut Reader) -> Result<[usize; 3]> {
    let dims = [r.usize()?, r.usize()?, r.usize()?];
    bounded(&dims)?;
    Ok(dims)
}

/// `N C S`, epsilon, then x, gain, bias, y, mean, inverse.
pub fn read(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (dims, epsilon) = (sizes(r)?, r.f32()?);
    let row = |r: &mut Reader| r.row(Dtype::F32, dims[1]);
    let (x, gain, bias) = (View::read_flat(r, dims)?, row(r)?, row(r)?);
    let (y, mean, inverse) = (View::read_flat(r, dims)?.target()?, row(r)?, row(r)?);
    let shape = Shape::new(dims, &[x, y]);
    Ok(Box::new(Normal { shape, epsilon, x, gain, bias, y, mean, inverse }))
}

impl Normal {
    /// The mean of a chunk in its first sum, and the squares around it in its second.
    unsafe fn measure(&self, memory: &Memory, chunk: usize) {
        let [mean, spread] = self.shape.sums(memory, chunk);
        let channels = self.shape.channels;
        let each = |add: unsafe fn(&Totals), first: *mut f32| {
            self.shape.runs(memory, chunk, [&self.x], |size, [x]| {
                let second = std::ptr::null_mut();
                // SAFETY: the runs lie within x, the sums are this chunk's, and these two leave the second alone
                unsafe { add(&Totals { size, runs: [x, x], m: mean, first, second }) };
            });
        };
        // SAFETY: the sums of this chunk
        unsafe {
            mean.write_bytes(0, channels);
            spread.write_bytes(0, channels);
            each(total(Simd::best()), mean);
            for c in 0..channels {
                *mean.add(c) /= self.shape.chunk(chunk).len() as f32;
            }
            each(squares(Simd::best()), spread);
        }
    }

    /// A channel's mean and deviation from those of its chunks (Chan et al. 1979), and the numbers that normalise it.
    unsafe fn settle(&self, memory: &Memory, c: usize, table: *mut f32) {
        let (mut mean, mut spread, mut count) = (0.0, 0.0, 0.0);
        for (places, part, squares) in self.shape.parts(memory, c) {
            let apart = part - mean;
            let all = count + places;
            mean += apart * places / all;
            spread += squares + apart * apart * count * places / all;
            count = all;
        }
        let inverse = 1.0 / (spread / count + f64::from(self.epsilon)).sqrt();
        let channels = self.shape.channels;
        // SAFETY: rows of a number for each channel, and the table's columns
        unsafe {
            *memory.at::<f32>(self.mean).add(c) = mean as f32;
            *memory.at::<f32>(self.inverse).add(c) = inverse as f32;
            let gain = f64::from(*memory.at::<f32>(self.gain).add(c));
            let bias = *memory.at::<f32>(self.bias).add(c);
            for (i, number) in [mean as f32, (inverse * gain) as f32, bias, 0.0].into_iter().enumerate() {
                *table.add(i * channels) = number;
            }
        }
    }
}

impl Kernel for Normal {
    fn scratch(&self, _: usize) -> Scratch {
        self.shape.scratch()
    }
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let shape = &self.shape;
        // SAFETY (of all three): the words were checked when they were read, and scratch is as large as asked for
        worker.each(shape.chunks(), |chunk| unsafe { self.measure(memory, chunk) });
        shape.channels(memory, worker, |c, table| unsafe { self.settle(memory, c, table) });
        let (normal, t) = (normal(Simd::best()), Table { at: shape.table(memory), channels: shape.channels });
        worker.each(shape.chunks(), |chunk| {
            shape.runs(memory, chunk, [&self.x, &self.y], |size, [x, y]| unsafe { normal(size, [x, x, y], t) });
        });
    }
}

/// dx, dgain, dbias from x, gain, mean, inverse deviation, g.
struct Gradient {
    shape: Shape,
    x: View,
    gain: Operand,
    mean: Operand,
    inverse: Operand,
    g: View,
    dx: View,
    dgain: Operand,
    dbias: Operand,
}

/// `N C S`, then x, gain, mean, inverse, g, dx, dgain, dbias.
pub fn read_gradient(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let dims = sizes(r)?;
    let row = |r: &mut Reader| r.row(Dtype::F32, dims[1]);
    let (x, gain, mean, inverse) = (View::read_flat(r, dims)?, row(r)?, row(r)?, row(r)?);
    let (g, dx) = (View::read_flat(r, dims)?, View::read_flat(r, dims)?.target()?);
    let (dgain, dbias) = (row(r)?, row(r)?);
    let shape = Shape::new(dims, &[x, g, dx]);
    Ok(Box::new(Gradient { shape, x, gain, mean, inverse, g, dx, dgain, dbias }))
}

impl Gradient {
    /// A channel's gradients, and the numbers that its x's are made with.
    unsafe fn settle(&self, memory: &Memory, c: usize, table: *mut f32) {
        let (mut dbias, mut product) = (0.0, 0.0);
        for (_, g, gx) in self.shape.parts(memory, c) {
            dbias += g;
            product += gx;
        }
        // SAFETY: rows of a number for each channel, and the table's columns
        unsafe {
            let number = |row: Operand| f64::from(*memory.at::<f32>(row).add(c));
            let (mean, inverse) = (number(self.mean), number(self.inverse));
            let (dgain, scale, count) = (product * inverse, number(self.gain) * inverse, self.shape.count() as f64);
            let numbers = [mean, scale, -scale * dbias / count, -scale * inverse * dgain / count];
            *memory.at::<f32>(self.dgain).add(c) = dgain as f32;
            *memory.at::<f32>(self.dbias).add(c) = dbias as f32;
            for (i, number) in numbers.into_iter().enumerate() {
                *table.add(i * self.shape.channels) = number as f32;
            }
        }
    }
}

impl Kernel for Gradient {
    fn scratch(&self, _: usize) -> Scratch {
        self.shape.scratch()
    }
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let (shape, m, simd) = (&self.shape, memory.at::<f32>(self.mean).cast_const(), Simd::best());
        let (products, gradient) = (products(simd), gradient(simd));
        // SAFETY (of all three): the words were checked when they were read, and scratch is as large as asked for
        worker.each(shape.chunks(), |chunk| unsafe {
            let [first, second] = shape.sums(memory, chunk);
            first.write_bytes(0, 2 * shape.channels);
            shape.runs(memory, chunk, [&self.x, &self.g], |size, runs| {
                products(&Totals { size, runs, m, first, second });
            });
        });
        shape.channels(memory, worker, |c, table| unsafe { self.settle(memory, c, table) });
        let t = Table { at: shape.table(memory), channels: shape.channels };
        worker.each(shape.chunks(), |chunk| {
            let views = [&self.x, &self.g, &self.dx];
            shape.runs(memory, chunk, views, |size, runs| unsafe { gradient(size, runs, t) });
        });
    }
}
