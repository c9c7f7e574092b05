//! What a query may not see: later places, other segments, and what numbers added to the scores say.
use super::strips::WIDTH;
use super::{Sizes, View};
use crate::memory::Memory;
use crate::reader::{Dtype, Operand, Reader, Result};
use std::ops::Range;

/// Added to a score that is hidden: finite, so that a row of nothing else has probabilities.
const HIDDEN: f32 = -1e9;

pub struct Mask {
    causal: bool,
    segments: Option<[Ids; 2]>,
    added: Option<View>,
    /// How many more keys than queries there are.
    ahead: isize,
    keys: usize,
}

/// Segment ids: batch, place.
#[derive(Clone, Copy)]
struct Ids {
    operand: Operand,
    strides: [usize; 2],
}
impl Ids {
    fn read(r: &mut Reader, dims: [usize; 2]) -> Result<Ids> {
        let strides = [r.usize()?, r.usize()?];
        Ok(Ids { operand: r.operand(Dtype::I32, &dims, &strides)?, strides })
    }
    fn at(&self, memory: &Memory, batch: usize) -> *const i32 {
        memory.at::<i32>(self.operand).wrapping_add(batch * self.strides[0])
    }
}

/// A panel of queries: whose they are, and which.
#[derive(Clone, Copy)]
pub struct Place {
    pub batch: usize,
    pub head: usize,
    pub first: usize,
    pub count: usize,
}

impl Mask {
    pub fn read(r: &mut Reader, sizes: &Sizes, [causal, segments, added]: [bool; 3]) -> Result<Mask> {
        let &Sizes { batch, heads, queries, keys, .. } = sizes;
        let segments =
            if segments { Some([Ids::read(r, [batch, queries])?, Ids::read(r, [batch, keys])?]) } else { None };
        let added = if added { Some(View::read(r, [batch, heads, queries, keys])?) } else { None };
        Ok(Mask { causal, segments, added, ahead: keys as isize - queries as isize, keys })
    }

    /// How many of the first keys have a say in a panel: a query that sees none of them is left with all.
    pub fn limit(&self, place: Place) -> usize {
        let last = (place.first + place.count) as isize + self.ahead;
        if self.causal && place.first as isize + self.ahead >= 0 {
            return self.keys.min(last as usize);
        }
        self.keys
    }

    /// Hides what is hidden in the scores of `keys`, rows of `WIDTH` queries.
    ///
    /// # Safety
    /// `scores` holds the keys' rows; the place is within the operands.
    pub unsafe fn apply(&self, memory: &Memory, place: Place, keys: Range<usize>, scores: *mut f32) {
        // SAFETY: the caller's
        unsafe {
            if let Some([queries, ids]) = &self.segments {
                self.apart(memory, place, keys.clone(), (queries, ids), scores);
            } else if self.causal {
                // the first key that is hidden from the panel's first query
                let from = (place.first as isize + self.ahead + 1).max(keys.start as isize) as usize;
                for key in from..keys.end {
                    let row = scores.add((key - keys.start) * WIDTH).cast::<[f32; WIDTH]>();
                    let hidden = self.hidden(place, key);
                    let mut lanes = row.read_unaligned();
                    for (i, lane) in lanes.iter_mut().enumerate() {
                        *lane += if (i as i32) < hidden { HIDDEN } else { 0.0 };
                    }
                    row.write_unaligned(lanes);
                }
            }
            if let Some(added) = &self.added {
                self.add(memory, place, keys, added, scores);
            }
        }
    }

    /// Hides what is hidden in the scores of the first `keys` keys for one query.
    ///
    /// # Safety
    /// `scores` holds them; batch, head and query are within the operands.
    pub unsafe fn apply_row(
        &self,
        memory: &Memory,
        (batch, head, query): (usize, usize, usize),
        keys: usize,
        scores: *mut f32,
    ) {
        let past = if self.causal { (query as isize + self.ahead + 1).clamp(0, keys as isize) as usize } else { keys };
        // SAFETY: the caller's
        unsafe {
            (past..keys).for_each(|key| *scores.add(key) += HIDDEN);
            if let Some([queries, ids]) = &self.segments {
                let own = *queries.at(memory, batch).add(query * queries.strides[1]);
                let other = ids.at(memory, batch);
                for key in (0..past).filter(|key| *other.add(key * ids.strides[1]) != own) {
                    *scores.add(key) += HIDDEN;
                }
            }
            if let Some(added) = &self.added {
                let mask = added.at(memory, batch, head, query);
                (0..keys).for_each(|key| *scores.add(key) += *mask.add(key * added.element()));
            }
        }
    }

    /// From how many queries of a panel, the first ones, a key is hidden for being later.
    fn hidden(&self, place: Place, key: usize) -> i32 {
        (key as isize - place.first as isize - self.ahead).clamp(0, WIDTH as isize) as i32
    }

    unsafe fn apart(
        &self,
        memory: &Memory,
        place: Place,
        keys: Range<usize>,
        (queries, ids): (&Ids, &Ids),
        scores: *mut f32,
    ) {
        let (own, other) = (queries.at(memory, place.batch), ids.at(memory, place.batch));
        // SAFETY: the caller's
        unsafe {
            let mut segments = [0; WIDTH];
            for (i, segment) in segments.iter_mut().enumerate().take(place.count) {
                *segment = *own.add((place.first + i) * queries.strides[1]);
            }
            for key in keys.clone() {
                let row = scores.add((key - keys.start) * WIDTH).cast::<[f32; WIDTH]>();
                let hidden = if self.causal { self.hidden(place, key) } else { 0 };
                let segment = *other.add(key * ids.strides[1]);
                let mut lanes = row.read_unaligned();
                for (i, lane) in lanes.iter_mut().enumerate() {
                    let visible = (segments[i] == segment) & (i as i32 >= hidden);
                    *lane += if visible { 0.0 } else { HIDDEN };
                }
                row.write_unaligned(lanes);
            }
        }
    }

    unsafe fn add(&self, memory: &Memory, place: Place, keys: Range<usize>, added: &View, scores: *mut f32) {
        let mask = added.at(memory, place.batch, place.head, place.first);
        // SAFETY: the caller's
        unsafe {
            for key in keys.clone() {
                let row = scores.add((key - keys.start) * WIDTH);
                let mask = mask.add(key * added.element());
                for i in 0..place.count {
                    *row.add(i) += *mask.add(i * added.place());
                }
            }
        }
    }
}
