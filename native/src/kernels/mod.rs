//! One file a family of kernels, and the table of them: a plan names a kernel by its place here.
pub mod map;
pub mod matmul;
mod rows;
mod shared;

use crate::kernel::Kernel;
use crate::reader::{Reader, Result};

type Read = fn(&mut Reader) -> Result<Box<dyn Kernel>>;

/// Every kernel: its name in plans, and how its words are read.
pub const KERNELS: &[(&str, Read)] = &[
    ("checkIndices", shared::read_check_indices),
    ("gather", rows::read_gather),
    ("scatterAdd", rows::read_scatter_add),
    ("gatherLast", rows::read_gather_last),
    ("scatterLast", rows::read_scatter_last),
    ("argmax", rows::read_argmax),
    ("map", map::read),
    ("matmul", matmul::read),
];
