//! Matrix products: one of any size by all threads, or a batch of them shared out.
use crate::gemm::{Matrix, Product, Set};
use crate::kernel::{Kernel, Scratch};
use crate::kernels::map::Map;
use crate::memory::Memory;
use crate::reader::{Dtype, Operand, Reader, Result};
use crate::team::Worker;
use std::ops::Range;

/// Most batch axes; a planner merges those that continue one another.
const AXES: usize = 6;
/// A batch is shared out whole products at a time when each thread gets this many, or when they are this small.
const EACH: usize = 4;
const SMALL: usize = 1 << 20;

/// An operand: its strides along the batch, along its rows and along its columns, and where it lies.
struct Side {
    batch: Vec<usize>,
    rows_by: usize,
    columns_by: usize,
    at: Operand,
}

pub struct Matmul {
    set: &'static Set,
    batch: Vec<usize>,
    m: usize,
    n: usize,
    k: usize,
    a: Side,
    b: Side,
    c: Side,
    alpha: f32,
    accumulate: bool,
    /// What is done with each block of the product while it is in the cache.
    epilogue: Option<Map>,
}

/// What the words are of: `batch` strides, and two more, of which the last is 1 for C and not written.
fn side(r: &mut Reader, batch: &[usize], rows: usize, columns: usize, dense: bool) -> Result<Side> {
    let strides = r.list(batch.len())?;
    let rows_by = r.usize()?;
    let columns_by = if dense { 1 } else { r.usize()? };
    let dims = [batch, &[rows, columns]].concat();
    let at = r.operand(Dtype::F32, &dims, &[&strides[..], &[rows_by, columns_by]].concat())?;
    Ok(Side { batch: strides, rows_by, columns_by, at })
}

/// Whether no element is reached twice: each stride steps over all that the smaller ones reach.
fn apart(dims: &[usize], strides: &[usize]) -> bool {
    if dims.contains(&0) {
        return true;
    }
    let mut axes: Vec<_> = strides.iter().zip(dims).filter(|(_, n)| **n > 1).collect();
    axes.sort_unstable();
    let mut reach = 0usize;
    axes.into_iter().all(|(&by, &n)| {
        let clear = by > reach;
        reach = reach.saturating_add((n - 1).saturating_mul(by));
        clear
    })
}

pub fn read(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let axes = r.count()?;
    if axes > AXES {
        return Err(format!("matmul: {axes} batch axes are more than {AXES}"));
    }
    let batch = r.list(axes)?;
    let (m, n, k) = (r.usize()?, r.usize()?, r.usize()?);
    let a = side(r, &batch, m, k, false)?;
    let b = side(r, &batch, k, n, false)?;
    let c = side(r, &batch, m, n, true)?;
    let count = batch.iter().chain([&m, &n]).try_fold(1usize, |count, &n| count.checked_mul(n));
    if count.is_none() || !apart(&[&batch[..], &[m, n]].concat(), &[&c.batch[..], &[c.rows_by, 1]].concat()) {
        return Err("matmul: the elements of the product overlap".into());
    }
    let (alpha, accumulate) = (r.f32()?, r.bool()?);
    let epilogue = if r.bool()? { Some(Map::read(r)?) } else { None };
    if epilogue.as_ref().is_some_and(|map| map.has_reductions() || map.dims() != [&batch[..], &[m, n]].concat()) {
        return Err("matmul: the map that follows is none over the product".into());
    }
    Ok(Box::new(Matmul { set: Set::best(), batch, m, n, k, a, b, c, alpha, accumulate, epilogue }))
}

impl Matmul {
    /// The place in each batch axis of product `i`.
    fn place(&self, mut i: usize) -> [usize; AXES] {
        let mut place = [0; AXES];
        for (axis, &n) in self.batch.iter().enumerate().rev() {
            place[axis] = i % n;
            i /= n;
        }
        place
    }

    fn product(&self, memory: &Memory, i: usize) -> Product {
        let place = self.place(i);
        let start = |side: &Side| {
            let offset: usize = side.batch.iter().zip(place).map(|(by, at)| by * at).sum();
            memory.at::<f32>(side.at).wrapping_add(offset)
        };
        let matrix = |side: &Side| Matrix { at: start(side), rows_by: side.rows_by, columns_by: side.columns_by };
        Product {
            m: self.m,
            n: self.n,
            k: self.k,
            a: matrix(&self.a),
            b: matrix(&self.b),
            c: start(&self.c),
            c_row: self.c.rows_by,
            alpha: self.alpha,
            accumulate: self.accumulate,
        }
    }

    /// Products there are to do: none where they have no elements.
    fn count(&self) -> usize {
        if self.m == 0 || self.n == 0 { 0 } else { self.batch.iter().product() }
    }

    /// What follows on a finished block of product `i`.
    unsafe fn finish(&self, memory: &Memory, own: *mut u8, i: usize, rows: Range<usize>, cols: Range<usize>) {
        let Some(map) = &self.epilogue else { return };
        let (axes, place) = (self.batch.len(), self.place(i));
        let (mut low, mut high) = ([0; AXES + 2], [0; AXES + 2]);
        for axis in 0..axes {
            (low[axis], high[axis]) = (place[axis], place[axis] + 1);
        }
        (low[axes], high[axes]) = (rows.start, rows.end);
        (low[axes + 1], high[axes + 1]) = (cols.start, cols.end);
        // SAFETY: the box is within the map's space, and the scratch behind the product's is the map's
        unsafe { map.run_box(memory, own.add(self.own()), &low[..axes + 2], &high[..axes + 2]) };
    }

    /// Bytes of a thread's scratch that the product itself uses.
    fn own(&self) -> usize {
        let alone = self.set.scratch_alone(self.m, self.n, self.k);
        self.set.scratch_team(self.m, self.n, self.k).own.max(alone).next_multiple_of(64)
    }
}

impl Kernel for Matmul {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let count = self.count();
        let own = memory.own[worker.index];
        let small = (self.m * self.n).saturating_mul(self.k) < SMALL;
        if count > 1 && (small || count >= EACH * worker.count) {
            return worker.each(count, |i| {
                // SAFETY: `read` checked that the slots hold every product, and that no two write to the same place
                unsafe {
                    self.set.alone(&self.product(memory, i), own.cast());
                    self.finish(memory, own, i, 0..self.m, 0..self.n);
                }
            });
        }
        for i in 0..count {
            // SAFETY: as above
            unsafe {
                let finish = |rows: Range<usize>, cols: Range<usize>| self.finish(memory, own, i, rows, cols);
                self.set.team(worker, &self.product(memory, i), memory.shared.cast(), own.cast(), &finish);
            }
        }
        if count == 0 {
            worker.barrier();
        }
    }

    fn scratch(&self, _threads: usize) -> Scratch {
        let after = self.epilogue.as_ref().map_or(0, Map::own_scratch);
        Scratch { own: self.own() + after, ..self.set.scratch_team(self.m, self.n, self.k) }
    }
}
