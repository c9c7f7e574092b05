//! Attention and its gradient, a panel of queries at a time: scores are never stored whole.
//!
//! Scores are computed transposed, keys by queries: a panel's queries are the lanes of vectors, so that softmax needs no sums
//! across lanes, and the probabilities lie as the next product reads them.
mod backward;
mod few;
mod forward;
mod lanes;
mod mask;
mod strips;
#[cfg(test)]
mod tests;

pub use backward::read as read_attention_grad;
pub use forward::read as read_attention;

use crate::gemm::Set;
use crate::memory::Memory;
use crate::reader::{Dtype, Operand, Reader, Result};
use mask::{Mask, Place};
use strips::{WIDTH, fetch};

/// Most keys whose scores are held at once: with a panel of queries, what the first cache holds.
const KEYS: usize = 448;

#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    heads: usize,
    /// Heads of keys and values, each of which `heads / groups` heads of queries share.
    groups: usize,
    queries: usize,
    keys: usize,
    width: usize,
    /// Width of a value.
    out: usize,
}

/// A strided operand of four axes: batch, head, place, element.
#[derive(Clone, Copy)]
struct View {
    operand: Operand,
    strides: [usize; 4],
}
impl View {
    fn read(r: &mut Reader, dims: [usize; 4]) -> Result<View> {
        let strides = [r.usize()?, r.usize()?, r.usize()?, r.usize()?];
        Ok(View { operand: r.operand(Dtype::F32, &dims, &strides)?, strides })
    }
    /// Three axes: batch, head, place.
    fn read_rows(r: &mut Reader, dims: [usize; 3]) -> Result<View> {
        let [a, b, c] = [r.usize()?, r.usize()?, r.usize()?];
        Ok(View { operand: r.operand(Dtype::F32, &dims, &[a, b, c])?, strides: [a, b, c, 0] })
    }
    /// One head, from a place on.
    fn at(&self, memory: &Memory, batch: usize, head: usize, place: usize) -> *mut f32 {
        let [by_batch, by_head, by_place, _] = self.strides;
        memory.at::<f32>(self.operand).wrapping_add(batch * by_batch + head * by_head + place * by_place)
    }
    fn place(&self) -> usize {
        self.strides[2]
    }
    fn element(&self) -> usize {
        self.strides[3]
    }
    /// Brings `count` places of `width` elements near, if there are any: they are needed soon.
    fn fetch(&self, memory: &Memory, place: Place, width: usize) {
        if place.count > 0 && self.element() == 1 {
            fetch(self.at(memory, place.batch, place.head, place.first), (place.count, self.place()), width);
        }
    }
}

/// What the forward and the backward pass read alike.
struct Scores {
    sizes: Sizes,
    scale: f32,
    mask: Mask,
    q: View,
    k: View,
    v: View,
    set: &'static Set,
}

impl Scores {
    /// Words: batch, heads, groups, queries, keys, width, width of a value, scale, causal, segments, mask; then strides and
    /// operand of q, k, v, and of the segments' and the mask's where there are any.
    fn read(r: &mut Reader) -> Result<Scores> {
        let [batch, heads, groups, queries, keys, width, out] =
            [r.usize()?, r.usize()?, r.usize()?, r.usize()?, r.usize()?, r.usize()?, r.usize()?];
        let sizes = Sizes { batch, heads, groups, queries, keys, width, out };
        if heads.checked_rem(groups).is_none_or(|rest| rest != 0) {
            return Err(format!("{heads} heads do not share {groups}"));
        }
        let scale = r.f32()?;
        let flags = [r.bool()?, r.bool()?, r.bool()?];
        let q = View::read(r, [batch, heads, queries, width])?;
        let k = View::read(r, [batch, groups, keys, width])?;
        let v = View::read(r, [batch, groups, keys, out])?;
        Ok(Scores { sizes, scale, mask: Mask::read(r, &sizes, flags)?, q, k, v, set: Set::best() })
    }

    /// Panels of queries of one head.
    fn panels(&self) -> usize {
        self.sizes.queries.div_ceil(WIDTH)
    }

    /// Panel `i` of those of a group's heads.
    fn place(&self, batch: usize, group: usize, i: usize) -> Place {
        let (shared, panels) = (self.sizes.heads / self.sizes.groups, self.panels());
        let first = i % panels * WIDTH;
        Place { batch, head: group * shared + i / panels, first, count: WIDTH.min(self.sizes.queries - first) }
    }

    /// Into how many tasks the queries of one group are cut, so that a team finds enough of them.
    fn cuts(&self, threads: usize) -> usize {
        let Sizes { batch, heads, groups, .. } = self.sizes;
        let (tasks, panels) = ((batch * groups).max(1), heads / groups * self.panels());
        // a task packs the keys for itself: it had better have a few panels that read them
        if threads == 1 { 1 } else { (3 * threads).div_ceil(tasks).min(panels / 2).max(1) }
    }
}

/// Pieces of scratch memory, one after the other, each aligned to a vector.
struct Space(*mut f32);
impl Space {
    fn bytes(pieces: &[usize]) -> usize {
        pieces.iter().fold(0usize, |sum, &n| sum.saturating_add(n.saturating_add(16))).saturating_mul(4)
    }
    /// Zeros what panels are made in, where the last has lanes that no query fills: they are computed with like the others.
    ///
    /// # Safety
    /// The pieces are as large as they are said to be.
    unsafe fn clear(pieces: &[(*mut f32, usize)], scores: &Scores) {
        if !scores.sizes.queries.is_multiple_of(WIDTH) {
            for &(piece, n) in pieces {
                // SAFETY: the caller's
                unsafe { std::ptr::write_bytes(piece, 0, n) };
            }
        }
    }
    fn take(&mut self, n: usize) -> *mut f32 {
        let piece = self.0;
        self.0 = self.0.wrapping_add(n.next_multiple_of(16));
        piece
    }
}
