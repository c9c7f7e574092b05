//! A map as a kernel: its space in chunks that do not depend on the number of threads, its reductions joined chunk by chunk.
use super::frame::Frame;
use super::reduce::Reduction;
use super::walk::{Axes, RANK, Walk, axes, dot, each_block, each_place, part, tile};
use super::{Map, OPS};
use crate::kernel::{Kernel, Scratch};
use crate::memory::Memory;
use crate::reader::{Reader, Result};
use crate::simd::Simd;
use crate::team::Worker;

/// The longest row of a chunk whose columns are reduced: the more rows a chunk has, the fewer partial results.
const COLUMNS: usize = 2048;
/// Values of a reduction that one task joins.
const JOINED: usize = 256;

struct Chunked {
    map: Map,
    chunk: Axes,
    /// Chunks along each axis, and in all.
    pieces: Axes,
    chunks: usize,
    partials: Vec<Partial>,
}

/// What a reduction leaves in shared scratch when several chunks share a value.
#[derive(Clone, Copy, Default)]
struct Partial {
    /// Whether chunks share values; else they write the result.
    needed: bool,
    /// The first byte of the partial results, and how many values a chunk leaves.
    at: usize,
    volume: usize,
    /// Tasks that join them: for each chunk that shares no value with another of these, parts of its values.
    tasks: usize,
    /// Bytes before this reduction's values in a thread's scratch.
    values: usize,
}

pub fn read(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    read_for(r, Simd::best())
}

pub(super) fn read_for(r: &mut Reader, simd: Simd) -> Result<Box<dyn Kernel>> {
    debug_assert!(OPS.len() < 256);
    let mut map = Map::read_for(r, simd)?;
    map.collapse();
    Ok(Box::new(Chunked::new(map)))
}

impl Chunked {
    fn new(map: Map) -> Chunked {
        let chunk = chunk(&map);
        let rank = map.dims.len();
        let mut pieces = axes(&[1; RANK]);
        (0..rank).for_each(|d| pieces[d] = map.dims[d].div_ceil(chunk[d].max(1)));
        let chunks: usize = pieces[..rank].iter().product();
        let (mut at, mut values) = (0usize, 0usize);
        let partials = map
            .reductions
            .iter()
            .map(|r| {
                let shared: usize = (0..rank).filter(|&d| r.reduced[d]).map(|d| pieces[d]).product();
                let volume = r.volume(&chunk[..rank]);
                let needed = shared > 1;
                let tasks = if needed { chunks / shared * volume.div_ceil(JOINED) } else { 0 };
                let partial = Partial { needed, at, volume, tasks, values };
                at += if needed { (chunks * volume * 4).next_multiple_of(64) } else { 0 };
                values += (volume * 8).next_multiple_of(64);
                partial
            })
            .collect();
        Chunked { map, chunk, pieces, chunks, partials }
    }

    /// The first place and the extents of a chunk.
    fn bounds(&self, chunk: usize) -> (Axes, Axes) {
        let (mut low, mut extent, mut rest) = ([0; RANK], [0; RANK], chunk);
        for d in (0..self.map.dims.len()).rev() {
            low[d] = rest % self.pieces[d] * self.chunk[d];
            extent[d] = self.chunk[d].min(self.map.dims[d] - low[d]);
            rest /= self.pieces[d];
        }
        (low, extent)
    }

    unsafe fn carry_out(&self, frame: &mut Frame, memory: &Memory, chunk: usize) {
        let rank = self.map.dims.len();
        let (low, extent) = self.bounds(chunk);
        let (low, extent) = (&low[..rank], &extent[..rank]);
        let reductions = || self.map.reductions.iter().zip(&self.partials);
        let shape = self.map.block(extent);
        // SAFETY: the chunk lies inside the space, and its values and partial results inside the scratch
        unsafe {
            let values = |p: &Partial, frame: &Frame| frame.values.cast::<u8>().add(p.values).cast::<f64>();
            for (r, p) in reductions() {
                std::slice::from_raw_parts_mut(values(p, frame), r.volume(extent)).fill(r.first);
            }
            each_block(low, extent, &shape, |place, size| {
                frame.block(place, size);
                for (r, p) in reductions() {
                    let strides = r.strides(extent);
                    let mut offset = 0;
                    (0..rank).for_each(|d| offset += (place[d] - low[d]) * strides[d]);
                    r.fold(values(p, frame).add(offset), &Walk::new(size, &strides), frame.register(r.register));
                }
            });
            for (r, p) in reductions() {
                if p.needed {
                    let to = memory.shared.add(p.at).cast::<f32>().add(chunk * p.volume);
                    r.write(values(p, frame), extent, to, &r.strides(extent));
                } else {
                    r.write(values(p, frame), extent, memory.at::<f32>(r.operand).add(r.offset(low)), &r.stride);
                }
            }
        }
    }

    /// Joins a part of the values that chunks share.
    unsafe fn join(&self, r: &Reduction, p: &Partial, memory: &Memory, task: usize) {
        let rank = self.map.dims.len();
        let parts = p.volume.div_ceil(JOINED);
        // the first of the chunks that share these values, then the steps to the others
        let (mut cell, mut first, mut by) = (task / parts, 0, 1);
        let mut steps = [0; RANK];
        let mut shared = [1; RANK];
        for d in (0..rank).rev() {
            steps[d] = by;
            if r.reduced[d] {
                shared[d] = self.pieces[d];
            } else {
                first += cell % self.pieces[d] * by;
                cell /= self.pieces[d];
            }
            by *= self.pieces[d];
        }
        let (low, extent) = self.bounds(first);
        let from = task % parts * JOINED;
        let to = r.volume(&extent[..rank]).min(from + JOINED);
        if from >= to {
            return;
        }
        let mut values = [r.first; JOINED];
        let values = &mut values[..to - from];
        // SAFETY: every chunk has written as many partial results; the part lies inside the result
        unsafe {
            let partial = memory.shared.add(p.at).cast::<f32>();
            each_place(&shared[..rank], &steps, &[0; RANK], |chunk, _| {
                (r.join)(values, partial.add((first + chunk) * p.volume + from));
            });
            let result = memory.at::<f32>(r.operand).add(r.offset(&low[..rank]));
            let (kept, dense) = (r.kept(&extent[..rank]), r.strides(&extent[..rank]));
            for (j, value) in values.iter().enumerate() {
                let mut place = [0; RANK];
                for d in (0..rank).filter(|&d| !r.reduced[d] && kept[d] > 1) {
                    place[d] = (from + j) / dense[d] % kept[d];
                }
                *result.add(dot(&place[..rank], &r.stride)) = *value as f32;
            }
        }
    }
}

/// The extents of a chunk: enough work to be worth a task, few enough partial results, and square where memory is crossed.
fn chunk(map: &Map) -> Axes {
    let dims = &map.dims;
    let total: usize = dims.iter().product();
    if total == 0 {
        return axes(dims);
    }
    let target = (total / 64).clamp(8 << 10, 64 << 10);
    let mut chunk = axes(&[1; RANK]);
    let (mut room, mut inner) = (target, 1);
    let ports = map.inputs.iter().chain(map.outputs.iter().map(|o| &o.port));
    let crossed = ports.filter_map(|p| tile(dims, &p.stride, target)).next();
    for d in (0..dims.len()).rev() {
        let outside = |r: &Reduction| !r.reduced[d] && (0..d).any(|o| r.reduced[o] && dims[o] > 1);
        let mut most = room;
        if map.reductions.iter().any(outside) {
            most = most.min((COLUMNS / inner).max(1));
        }
        chunk[d] = part(dims[d], most);
        if crossed.is_some() && inner == 1 {
            chunk[d] = part(dims[d], most.min(128));
        }
        inner *= chunk[d];
        room /= chunk[d].max(1);
    }
    chunk
}

impl Kernel for Chunked {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let reductions = || self.map.reductions.iter().zip(&self.partials);
        if self.chunks == 0 {
            return worker.once(|| {
                // SAFETY: one thread writes results that the plan's slots hold
                reductions().for_each(|(r, _)| unsafe { r.write_first(&self.map.dims, memory.at(r.operand)) });
            });
        }
        // SAFETY: the scratch is as asked for; chunks are disjoint, and so are the values that a task joins
        unsafe {
            let mut frame = Frame::new(&self.map, memory, memory.own[worker.index]);
            worker.each(self.chunks, |chunk| self.carry_out(&mut frame, memory, chunk));
            let tasks: usize = self.partials.iter().map(|p| p.tasks).sum();
            if tasks > 0 {
                worker.each(tasks, |mut task| {
                    for (r, p) in reductions() {
                        if task < p.tasks {
                            return self.join(r, p, memory, task);
                        }
                        task -= p.tasks;
                    }
                });
            }
        }
    }
    fn scratch(&self, _threads: usize) -> Scratch {
        let shared = self.partials.iter().filter(|p| p.needed).map(|p| p.at + p.volume * self.chunks * 4).max();
        let values: usize = self.partials.iter().map(|p| (p.volume * 8).next_multiple_of(64)).sum();
        Scratch { shared: shared.unwrap_or(0), own: self.map.own_scratch() + values }
    }
}
