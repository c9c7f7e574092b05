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
mod winograd;

use crate::kernel::Kernel;
use crate::kernels::view::View;
use crate::reader::{Reader, Result};
use geometry::Geometry;
use spread::Spread;
use tile::Tiles;
use weights::Weights;
use winograd::{Tiled, TiledWeights, pays};

/// Sizes, x, w, y.
pub fn forward(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let g = Geometry::read(r)?;
    let (x, w, y) = (View::read(r, g.x())?, View::read(r, g.w())?, View::read_target(r, g.y())?);
    if pays(&g, &y, &x) {
        return Ok(Box::new(Tiled::new(&g, false, [x, w, y], Tiles::best())));
    }
    Ok(Box::new(Spread::new(g, false, [x, w, y], Tiles::best())))
}
/// Sizes, w, y's gradient, x's.
pub fn input_gradient(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let g = Geometry::read(r)?;
    let (w, y, x) = (View::read(r, g.w())?, View::read(r, g.y())?, View::read_target(r, g.x())?);
    if pays(&g, &x, &y) {
        return Ok(Box::new(Tiled::new(&g, true, [y, w, x], Tiles::best())));
    }
    Ok(Box::new(Spread::new(g, true, [y, w, x], Tiles::best())))
}
/// Sizes, x, y's gradient, w's.
pub fn weight_gradient(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let g = Geometry::read(r)?;
    let (x, y, w) = (View::read(r, g.x())?, View::read(r, g.y())?, View::read_target(r, g.w())?);
    if pays(&g, &y, &x) {
        return Ok(Box::new(TiledWeights::new(&g, [x, y, w], Tiles::best())));
    }
    Ok(Box::new(Weights::new(g, [x, y, w], Tiles::best())))
}
