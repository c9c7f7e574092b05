//! Convolution over images, and its gradients.
//!
//! Each of the three pairs a place of the image with a window for every tap: y[window] += x[place]·w[tap],
//! dx[place] += g[window]·w[tap]ᵀ, dw[tap] += x[place]ᵀ·g[window].
mod geometry;
mod layout;
mod spread;
#[cfg(test)]
mod tests;
mod tile;
mod weights;

pub use spread::{forward, input_gradient};
pub use weights::weight_gradient;
