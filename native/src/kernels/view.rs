//! Tensors of images where they lie: four axes, each with a stride of its own.
use crate::memory::Memory;
use crate::reader::{Dtype, Operand, Reader, Result};

/// From one image, row and column to the next.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    pub n: usize,
    pub h: usize,
    pub w: usize,
}

/// The most elements of a tensor; a plan says more only by mistake.
const ELEMENTS: usize = 1 << 40;

/// Refuses sizes whose product no memory holds: operands of stride 0 may claim any.
pub fn bounded(dims: &[usize]) -> Result<()> {
    let all = dims.iter().try_fold(1usize, |product, &n| product.checked_mul(n.max(1)));
    match all {
        Some(n) if n <= ELEMENTS => Ok(()),
        _ => Err(format!("{dims:?} are more elements than fit")),
    }
}

/// Refuses strides by which two elements lie in one place: threads may write to no element but their own.
pub fn apart(dims: &[usize], by: &[usize]) -> Result<()> {
    if dims.contains(&0) {
        return Ok(());
    }
    let mut axes: Vec<(usize, usize)> =
        by.iter().copied().zip(dims.iter().copied()).filter(|axis| axis.1 > 1).collect();
    axes.sort_unstable();
    let mut reach = 0;
    for (by, n) in axes {
        if by <= reach {
            return Err(format!("{dims:?} by {by:?} overlap"));
        }
        reach += (n - 1) * by;
    }
    Ok(())
}

/// A tensor of four axes where it lies.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub dims: [usize; 4],
    pub by: [usize; 4],
    operand: Operand,
}
impl View {
    /// Four strides, slot, offset.
    pub fn read(r: &mut Reader, dims: [usize; 4]) -> Result<View> {
        let by = [r.usize()?, r.usize()?, r.usize()?, r.usize()?];
        Ok(View { dims, by, operand: r.operand(Dtype::F32, &dims, &by)? })
    }
    /// As `read`, of what is written: no two elements in one place.
    pub fn read_target(r: &mut Reader, dims: [usize; 4]) -> Result<View> {
        View::read(r, dims)?.target()
    }
    /// Three strides, slot, offset of [N C S], as [N C 1 S].
    pub fn read_flat(r: &mut Reader, [n, c, s]: [usize; 3]) -> Result<View> {
        let (dims, by) = ([n, c, 1, s], [r.usize()?, r.usize()?, 0, r.usize()?]);
        Ok(View { dims, by, operand: r.operand(Dtype::F32, &dims, &by)? })
    }
    /// The view, if no two elements lie in one place.
    pub fn target(self) -> Result<View> {
        apart(&self.dims, &self.by)?;
        Ok(self)
    }
    pub fn at(&self, memory: &Memory) -> *mut f32 {
        memory.at(self.operand)
    }
    /// Whether so many channels of a place are not side by side.
    pub fn scattered(&self, channels: usize) -> bool {
        self.by[1] != 1 && channels != 1
    }
    pub fn steps(&self) -> Steps {
        Steps { n: self.by[0], h: self.by[2], w: self.by[3] }
    }
}
