//! One file a family of kernels, and the table of them: a plan names a kernel by its place here.
pub mod batch_norm;
pub mod conv;
pub mod matmul;
pub mod pool;
#[cfg(test)]
mod testing;
mod view;
mod window;

use crate::kernel::Kernel;
use crate::reader::{Reader, Result};

type Read = fn(&mut Reader) -> Result<Box<dyn Kernel>>;

/// Every kernel: its name in plans, and how its words are read.
pub const KERNELS: &[(&str, Read)] = &[
    ("matmul", matmul::read),
    ("conv2d", conv::forward),
    ("conv2dInputGrad", conv::input_gradient),
    ("conv2dWeightGrad", conv::weight_gradient),
    ("maxPool2d", pool::max),
    ("maxPool2dGrad", pool::max_gradient),
    ("avgPool2d", pool::mean),
    ("avgPool2dGrad", pool::mean_gradient),
    ("batchNorm", batch_norm::read),
    ("batchNormGrad", batch_norm::read_gradient),
];
