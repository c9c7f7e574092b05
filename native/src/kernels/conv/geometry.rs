//! The words that the three convolution kernels share: sizes, then three tensors where they lie.
use crate::kernels::window::{Steps, Windows, apart, bounded, pair};
use crate::memory::Memory;
use crate::reader::{Dtype, Operand, Reader, Result};

/// x [N C H W], w [O C/groups KH KW], y [N O OH OW].
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    pub n: usize,
    pub c: usize,
    pub o: usize,
    pub groups: usize,
    pub windows: Windows,
}

impl Geometry {
    /// `N C H W O KH KW OH OW`, stride, padding above and left, dilation (down and across each), `groups`.
    pub fn read(r: &mut Reader) -> Result<Geometry> {
        let (n, c, image, o) = (r.usize()?, r.usize()?, pair(r)?, r.usize()?);
        let (kernel, windows, stride) = (pair(r)?, pair(r)?, pair(r)?);
        let windows = Windows { image, kernel, windows, stride, padding: pair(r)?, dilation: pair(r)? }.checked()?;
        let groups = r.usize()?;
        if groups == 0 || c % groups != 0 || o % groups != 0 {
            return Err(format!("{c} and {o} channels do not fall into {groups} groups"));
        }
        let geometry = Geometry { n, c, o, groups, windows };
        bounded(&geometry.x())?;
        bounded(&geometry.y())?;
        bounded(&geometry.w())?;
        Ok(geometry)
    }
    pub fn x(&self) -> [usize; 4] {
        let [h, w] = self.windows.image;
        [self.n, self.c, h, w]
    }
    pub fn y(&self) -> [usize; 4] {
        let [h, w] = self.windows.windows;
        [self.n, self.o, h, w]
    }
    pub fn w(&self) -> [usize; 4] {
        let [h, w] = self.windows.kernel;
        [self.o, self.c / self.groups, h, w]
    }
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
        let view = View::read(r, dims)?;
        apart(&dims, &view.by)?;
        Ok(view)
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
