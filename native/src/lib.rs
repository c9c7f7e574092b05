//! The native CPU engine of plinth: it runs compiled plans over named state, and knows no models.
pub mod bridge;
pub mod denormals;
pub mod gemm;
pub mod kernel;
pub mod kernels;
pub mod math;
pub mod memory;
pub mod plan;
pub mod reader;
pub mod session;
pub mod simd;
pub mod team;
