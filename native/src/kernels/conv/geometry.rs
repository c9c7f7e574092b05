//! The words that the three convolution kernels share: sizes, then three tensors where they lie.
use crate::kernels::view::bounded;
use crate::kernels::window::{Windows, pair};
use crate::reader::{Reader, Result};

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
