//! One file a family of kernels, and the table of them: a plan names a kernel by its place here.
mod attention;
pub mod batch_norm;
pub mod conv;
mod cross_entropy;
#[cfg(test)]
mod image_testing;
mod lanes;
mod linear_cross_entropy;
pub mod map;
pub mod matmul;
#[cfg(test)]
mod matmul_tests;
mod norm;
pub mod pool;
#[cfg(test)]
mod row_tests;
mod rows;
mod shared;
mod softmax;
mod spans;
#[cfg(test)]
mod testing;
mod view;
mod window;

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
    ("sliceAt", spans::read_slice),
    ("writeAt", spans::read_write),
    ("argmax", rows::read_argmax),
    ("map", map::read),
    ("layerNorm", norm::read_layer_norm),
    ("layerNormGrad", norm::read_layer_norm_grad),
    ("rmsNorm", norm::read_rms_norm),
    ("rmsNormGrad", norm::read_rms_norm_grad),
    ("softmax", softmax::read_softmax),
    ("logSoftmax", softmax::read_log_softmax),
    ("softmaxGrad", softmax::read_softmax_grad),
    ("crossEntropy", cross_entropy::read_cross_entropy),
    ("crossEntropyGrad", cross_entropy::read_cross_entropy_grad),
    ("attention", attention::read_attention),
    ("attentionGrad", attention::read_attention_grad),
    ("linearCrossEntropy", linear_cross_entropy::read),
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
