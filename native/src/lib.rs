//! The native CPU engine of plinth: it runs compiled plans over named state, and knows no models.
pub mod denormals;
pub mod gemm;
pub mod kernel;
pub mod kernels;
pub mod memory;
pub mod reader;
pub mod simd;
pub mod team;
