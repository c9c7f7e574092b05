//! Chains of elementwise operations with broadcasting, and the reductions that end them, as one loop over blocks that stay in cache.
mod code;
mod elements;
mod frame;
mod ops;
mod plan;
mod reduce;
mod run;
#[cfg(test)]
mod tests;
mod transpose;
mod walk;

use crate::memory::Memory;
use crate::reader::{Dtype, Operand};
use code::Code;
use elements::Moves;
use frame::Frame;
pub use ops::OPS;
use reduce::Reduction;
pub use run::read;
use walk::{Axes, block, each_block, tile};

/// An operand that every element of the space has a place in.
struct Port {
    dtype: Dtype,
    stride: Axes,
    operand: Operand,
    moves: Moves,
    /// Whether memory holds a register's lanes as they are.
    word: bool,
    /// Whether it is one number for the whole space.
    single: bool,
    /// Whether it holds lanes and is too large to stay in a core's own caches.
    far: bool,
    /// Bytes from the first element to behind the last.
    span: usize,
}

struct Output {
    register: usize,
    port: Port,
    /// Whether the register may be computed in the output's memory.
    direct: bool,
}

/// A map as read from a plan.
pub struct Map {
    dims: Vec<usize>,
    inputs: Vec<Port>,
    outputs: Vec<Output>,
    reductions: Vec<Reduction>,
    code: Code,
    /// The length of a register, and of the longest block.
    lanes: usize,
    /// Whether there is enough to compute that memory should be asked for ahead.
    streams: bool,
}

impl Map {
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }
    pub fn has_reductions(&self) -> bool {
        !self.reductions.is_empty()
    }
    /// Bytes of scratch that a thread needs to run a box.
    pub fn own_scratch(&self) -> usize {
        Frame::bytes(self)
    }

    /// How a box is cut into blocks.
    fn block(&self, extent: &[usize]) -> Axes {
        let ports = self.inputs.iter().chain(self.outputs.iter().map(|o| &o.port));
        ports.filter_map(|p| tile(extent, &p.stride, self.lanes)).next().unwrap_or_else(|| block(extent, self.lanes))
    }

    /// Carries out the elementwise part on the elements from `low` to before `high` in each axis.
    ///
    /// # Safety
    /// The box lies inside `dims`; `own` is aligned to 64 and holds `own_scratch()`; the memory is that of the plan that the
    /// map was read from, and no one else writes to what the box reads or writes.
    pub unsafe fn run_box(&self, memory: &Memory, own: *mut u8, low: &[usize], high: &[usize]) {
        let rank = self.dims.len();
        let mut extent = [0; walk::RANK];
        (0..rank).for_each(|d| extent[d] = high[d] - low[d]);
        let extent = &extent[..rank];
        if extent.contains(&0) {
            return;
        }
        // SAFETY: as the caller promises
        unsafe {
            let mut frame = Frame::new(self, memory, own);
            each_block(low, extent, &self.block(extent), |low, extent| frame.block(low, extent));
        }
    }
}
