//! Pooling over windows, channel by channel: the largest or the mean, and their gradients.
mod bodies;
#[cfg(test)]
mod tests;

use crate::kernel::Kernel;
use crate::kernels::view::{View, bounded};
use crate::kernels::window::{Windows, pair};
use crate::memory::Memory;
use crate::reader::{Reader, Result};
use crate::simd::Simd;
use crate::team::Worker;
use bodies::{Window, average, average_gradient, largest, largest_gradient};
use std::ops::Range;

/// Channels of an image that one task takes the gradient of.
const CHANNELS: usize = 64;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Largest,
    /// Whether places of the padding count.
    Mean {
        padded: bool,
    },
}

/// A pool, or its gradient: the image and what the windows hold; of the gradient of the largest, also where it is written.
struct Pool {
    kind: Kind,
    windows: Windows,
    image: View,
    pooled: View,
    gradient: Option<View>,
    body: unsafe fn(&Window),
}

/// `N C H W KH KW OH OW`, stride, padding above and left.
fn sizes(r: &mut Reader) -> Result<([usize; 4], [usize; 4], Windows)> {
    let (n, c, image) = (r.usize()?, r.usize()?, pair(r)?);
    let (kernel, windows, stride, padding) = (pair(r)?, pair(r)?, pair(r)?, pair(r)?);
    let placed = Windows { image, kernel, windows, stride, padding, dilation: [1, 1] }.checked()?;
    let (x, y) = ([n, c, image[0], image[1]], [n, c, windows[0], windows[1]]);
    bounded(&x)?;
    bounded(&y)?;
    bounded(&kernel)?;
    Ok((x, y, placed))
}

/// Sizes, x, y.
pub fn max(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (x, y, windows) = sizes(r)?;
    // a window outside the image would have no largest
    for axis in 0..2 {
        let inside = |window: usize| !windows.taps_inside(axis, window).is_empty();
        let last = windows.windows[axis].saturating_sub(1);
        if windows.windows[axis] > 0 && !(inside(0) && inside(last)) {
            return Err("a window of the pool holds nothing".into());
        }
    }
    let (image, pooled) = (View::read(r, x)?, View::read_target(r, y)?);
    let body = largest(Simd::best());
    Ok(Box::new(Pool { kind: Kind::Largest, windows, image, pooled, gradient: None, body }))
}
/// Sizes, x, g, dx.
pub fn max_gradient(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let (x, y, windows) = sizes(r)?;
    let (image, pooled, gradient) = (View::read(r, x)?, View::read(r, y)?, View::read_target(r, x)?);
    let body = largest_gradient(Simd::best());
    Ok(Box::new(Pool { kind: Kind::Largest, windows, image, pooled, gradient: Some(gradient), body }))
}
/// Sizes, whether padding counts, x, y.
pub fn mean(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let ((x, y, windows), padded) = (sizes(r)?, r.bool()?);
    let (image, pooled) = (View::read(r, x)?, View::read_target(r, y)?);
    let body = average(Simd::best());
    Ok(Box::new(Pool { kind: Kind::Mean { padded }, windows, image, pooled, gradient: None, body }))
}
/// Sizes, whether padding counts, g, dx.
pub fn mean_gradient(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let ((x, y, windows), padded) = (sizes(r)?, r.bool()?);
    let (pooled, image) = (View::read(r, y)?, View::read_target(r, x)?);
    let body = average_gradient(Simd::best());
    Ok(Box::new(Pool { kind: Kind::Mean { padded }, windows, image, pooled, gradient: Some(image), body }))
}

impl Pool {
    /// The body for each window of some rows of an image, in some channels.
    unsafe fn windows(&self, memory: &Memory, n: usize, rows: Range<usize>, channels: Range<usize>) {
        let Windows { kernel, windows, .. } = self.windows;
        let gradient = self.gradient.unwrap_or(self.image);
        let at = |view: &View, h: usize, w: usize| {
            let [by_n, by_c, by_h, by_w] = view.by;
            view.at(memory).wrapping_add(n * by_n + channels.start * by_c + h * by_h + w * by_w)
        };
        for row in rows {
            for column in 0..windows[1] {
                let taps = [self.windows.taps_inside(0, row), self.windows.taps_inside(1, column)];
                if taps.iter().any(Range::is_empty) && self.kind == Kind::Largest {
                    continue;
                }
                let place = |axis: usize, window| match taps[axis].is_empty() {
                    true => 0,
                    false => self.windows.place(axis, taps[axis].start, window),
                };
                let (h, w) = (place(0, row), place(1, column));
                let taps = taps.map(|t| t.len());
                let count = match self.kind {
                    Kind::Mean { padded: true } => kernel[0] * kernel[1],
                    _ => (taps[0] * taps[1]).max(1),
                };
                let window = Window {
                    image: at(&self.image, h, w),
                    gradient: at(&gradient, h, w),
                    pooled: at(&self.pooled, row, column),
                    taps,
                    by: [self.image.by[2], self.image.by[3], self.image.by[1]],
                    gradient_by: [gradient.by[2], gradient.by[3], gradient.by[1]],
                    pooled_by: self.pooled.by[1],
                    channels: channels.len(),
                    share: 1.0 / count as f32,
                };
                // SAFETY: the taps lie inside the image
                unsafe { (self.body)(&window) };
            }
        }
    }
}

impl Kernel for Pool {
    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let [n, c, rows, _] = self.pooled.dims;
        let Some(gradient) = self.gradient else {
            // SAFETY: the words were checked when they were read
            return worker.each(n * rows, |i| unsafe { self.windows(memory, i / rows, i % rows..i % rows + 1, 0..c) });
        };
        let blocks = c.div_ceil(CHANNELS);
        worker.each(n * blocks, |i| {
            let (image, block) = (i / blocks, i % blocks);
            let channels = block * CHANNELS..c.min((block + 1) * CHANNELS);
            // SAFETY: as above; windows overlap only within an image and a channel
            unsafe {
                clear(&gradient, memory, image, channels.clone());
                self.windows(memory, image, 0..rows, channels);
            }
        });
    }
}

unsafe fn clear(view: &View, memory: &Memory, n: usize, channels: Range<usize>) {
    let [by_n, by_c, by_h, by_w] = view.by;
    for h in 0..view.dims[2] {
        for w in 0..view.dims[3] {
            let at = view.at(memory).wrapping_add(n * by_n + h * by_h + w * by_w);
            for c in channels.clone() {
                // SAFETY: within the tensor
                unsafe { *at.wrapping_add(c * by_c) = 0.0 };
            }
        }
    }
}
