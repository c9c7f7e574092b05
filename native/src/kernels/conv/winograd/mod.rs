//! Convolutions of 3×3 taps by Winograd's method: four ninths of the products, over transformed tiles.
mod grid;
mod spread;
mod transform;
mod weights;

use super::geometry::Geometry;
use crate::kernels::view::View;
use grid::{Grid, fits};
pub use spread::Tiled;
use transform::ELEMENTS;
pub use weights::TiledWeights;

/// Channels, and tiles, from which on transforms are worth their while; and how many times fewer the products have to be.
const LEAST_CHANNELS: usize = 32;
const LEAST_TILES: usize = 32;
const FEWER: f64 = 1.6;

/// Whether to, for tiles over `over` (y, or the gradient of x), given both tensors of images.
pub fn pays(g: &Geometry, over: &View, other: &View) -> bool {
    let w = &g.windows;
    let plain = w.kernel == [3, 3] && w.stride == [1, 1] && w.dilation == [1, 1] && g.groups == 1;
    if !plain || w.padding.iter().any(|&p| p > 2) || !fits(over) || !fits(other) || g.c.min(g.o) < LEAST_CHANNELS {
        return false;
    }
    let pairs: usize = (0..w.taps()).map(|tap| w.reach(tap)).map(|[down, across]| down * across).sum();
    let tiles = Grid::new(over.dims).tiles();
    tiles >= LEAST_TILES && (tiles * ELEMENTS) as f64 * FEWER < (g.n * pairs) as f64
}
