//! One file a family of kernels, and the table of them: a plan names a kernel by its place here.
pub mod matmul;

use crate::kernel::Kernel;
use crate::reader::{Reader, Result};

type Read = fn(&mut Reader) -> Result<Box<dyn Kernel>>;

/// Every kernel: its name in plans, and how its words are read.
pub const KERNELS: &[(&str, Read)] = &[("matmul", matmul::read)];
