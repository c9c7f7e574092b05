//! The gradient: each panel of queries goes through the keys once, finds their probabilities again, and adds to their gradients.
use super::lanes::{Known, dot, slopes};
use super::mask::Place;
use super::strips::{Source, Strips, WIDTH, add_product, pack_panel, spread};
use super::{KEYS, Scores, Sizes, Space, View};
use crate::gemm::Parts;
use crate::kernel::{Kernel, Scratch};
use crate::memory::Memory;
use crate::reader::{Reader, Result};
use crate::simd::Simd;
use crate::team::Worker;

type Slopes = unsafe fn(*mut f32, *mut f32, usize, &Known, f32);
type Dot = unsafe fn(*const f32, usize, *const f32, usize, usize) -> f32;

struct AttentionGrad {
    scores: Scores,
    y: View,
    lse: View,
    g: View,
    dq: View,
    dk: View,
    dv: View,
    slopes: Slopes,
    dot: Dot,
}

/// Words: those of `Scores`, then strides and operand of y, log-sum-exp and g [B H T E], and of the gradients of q, k and v.
pub fn read(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let scores = Scores::read(r)?;
    let Sizes { batch, heads, groups, queries, keys, width, out } = scores.sizes;
    Ok(Box::new(AttentionGrad {
        scores,
        y: View::read(r, [batch, heads, queries, out])?,
        lse: View::read_rows(r, [batch, heads, queries])?,
        g: View::read(r, [batch, heads, queries, out])?,
        dq: View::read(r, [batch, heads, queries, width])?,
        dk: View::read(r, [batch, groups, keys, width])?,
        dv: View::read(r, [batch, groups, keys, out])?,
        slopes: slopes(Simd::best()),
        dot: dot(Simd::best()),
    }))
}

/// Keys and values, packed for each product that they are the left side of.
struct Packed {
    keys: Strips,
    values: Strips,
    /// A line for each element of a key.
    turned: Strips,
}

/// Scratch of one thread, in pieces.
struct Pieces {
    /// The panel's queries and cotangents: lanes, and rows.
    q: *mut f32,
    g: *mut f32,
    q_rows: *mut f32,
    g_rows: *mut f32,
    scores: *mut f32,
    slopes: *mut f32,
    dq: *mut f32,
    dq_rows: *mut f32,
}

impl AttentionGrad {
    /// Widths of a query and of a value, up to whole vectors.
    fn widths(&self) -> (usize, usize) {
        let Sizes { width, out, .. } = self.scores.sizes;
        (width.next_multiple_of(self.scores.set.lanes), out.next_multiple_of(self.scores.set.lanes))
    }

    fn pieces(&self) -> [usize; 11] {
        let Sizes { keys, width, out, .. } = self.scores.sizes;
        let (whole, whole_out) = self.widths();
        [
            Strips::floats(keys, width),
            Strips::floats(keys, out),
            Strips::floats(width, keys),
            Strips::floats(WIDTH, width),
            Strips::floats(WIDTH, out),
            Strips::floats(WIDTH, whole),
            Strips::floats(WIDTH, whole_out),
            KEYS * WIDTH,
            KEYS * WIDTH,
            width.saturating_mul(WIDTH),
            Strips::floats(WIDTH, width),
        ]
    }
    /// Floats for the gradients of one group's keys and values.
    fn sums(&self) -> usize {
        let (whole, whole_out) = self.widths();
        self.scores.sizes.keys.saturating_mul(whole.saturating_add(whole_out))
    }

    unsafe fn known(&self, memory: &Memory, Place { batch, head, first, count }: Place) -> Known {
        let mut known = Known { lse: [0.0; WIDTH], delta: [0.0; WIDTH] };
        let (y, g) = (self.y.at(memory, batch, head, first), self.g.at(memory, batch, head, first));
        let lse = self.lse.at(memory, batch, head, first);
        for i in 0..count {
            // SAFETY: the rows are within the operands
            unsafe {
                known.lse[i] = *lse.add(i * self.lse.place());
                let (y, g) = (y.add(i * self.y.place()), g.add(i * self.g.place()));
                known.delta[i] = (self.dot)(y, self.y.element(), g, self.g.element(), self.scores.sizes.out);
            }
        }
        known
    }

    /// The gradient of one panel's queries, and what it adds to those of keys and values, in `sums`.
    unsafe fn panel(&self, memory: &Memory, place: Place, packed: &Packed, own: &Pieces, sums: *mut f32) {
        let Scores { sizes, scale, mask, q, set, .. } = &self.scores;
        let Place { batch, head, first, count } = place;
        let (whole, whole_out) = self.widths();
        let from_q = q.at(memory, batch, head, first);
        let from_g = self.g.at(memory, batch, head, first);
        let (q_place, q_step, g_place, g_step) = (q.place(), q.element(), self.g.place(), self.g.element());
        // SAFETY: the panel is within the operands, and the pieces of scratch are as large as `pieces` says
        unsafe {
            let known = self.known(memory, place);
            let lanes = |from, line, step| Source { from, line, step };
            pack_panel(set, lanes(from_q, q_place, q_step), count, WIDTH, sizes.width, own.q);
            pack_panel(set, lanes(from_g, g_place, g_step), count, WIDTH, sizes.out, own.g);
            pack_panel(set, lanes(from_q, q_step, q_place), sizes.width, whole, count, own.q_rows);
            pack_panel(set, lanes(from_g, g_step, g_place), sizes.out, whole_out, count, own.g_rows);
            let strips = packed.keys.holding(mask.limit(place));
            for which in Parts::new(strips, 1, (KEYS / set.rows()).max(1)).all() {
                let span = packed.keys.lines(which.clone());
                packed.keys.times(which.clone(), 0..sizes.width, (own.q, count), own.scores, (*scale, false));
                packed.values.times(which.clone(), 0..sizes.out, (own.g, count), own.slopes, (1.0, false));
                mask.apply(memory, place, span.clone(), own.scores);
                (self.slopes)(own.scores, own.slopes, span.len(), &known, *scale);
                let dk = sums.wrapping_add(span.start * whole);
                let dv = sums.wrapping_add(sizes.keys * whole + span.start * whole_out);
                add_product(set, span.len(), own.slopes, count, (own.q_rows, whole), dk);
                add_product(set, span.len(), own.scores, count, (own.g_rows, whole_out), dv);
                packed.turned.times(
                    0..packed.turned.number(),
                    span,
                    (own.slopes, count),
                    own.dq,
                    (1.0, which.start > 0),
                );
            }
            pack_panel(set, lanes(own.dq, WIDTH, 1), sizes.width, sizes.width, count, own.dq_rows);
            let to = self.dq.at(memory, batch, head, first);
            spread(own.dq_rows, sizes.width, (count, sizes.width), to, (self.dq.place(), self.dq.element()));
        }
    }

    /// Writes one group's sums to where they belong.
    unsafe fn settle(&self, memory: &Memory, batch: usize, group: usize, sums: *const f32) {
        let Sizes { keys, width, out, .. } = self.scores.sizes;
        let (whole, whole_out) = self.widths();
        let (dk, dv) = (self.dk.at(memory, batch, group, 0), self.dv.at(memory, batch, group, 0));
        // SAFETY: the group is within the operands, and `sums` holds both
        unsafe {
            spread(sums, whole, (keys, width), dk, (self.dk.place(), self.dk.element()));
            spread(sums.add(keys * whole), whole_out, (keys, out), dv, (self.dv.place(), self.dv.element()));
        }
    }

    /// All panels of cut `cut` of a group's queries.
    unsafe fn group(
        &self,
        memory: &Memory,
        (batch, group): (usize, usize),
        (cut, cuts): (usize, usize),
        own: &mut Space,
        sums: *mut f32,
    ) {
        let Scores { sizes, q, k, v, set, .. } = &self.scores;
        let [keys, values, turned, own_q, g, q_rows, g_rows, scores, slopes, dq, dq_rows] =
            self.pieces().map(|n| own.take(n));
        let own = Pieces { q: own_q, g, q_rows, g_rows, scores, slopes, dq, dq_rows };
        let (shared, panels) = (sizes.heads / sizes.groups, self.scores.panels());
        let (from_k, from_v) = (k.at(memory, batch, group, 0), v.at(memory, batch, group, 0));
        let lanes = |from, line, step| Source { from, line, step };
        let all_keys = Place { batch, head: group, first: 0, count: sizes.keys };
        k.fetch(memory, all_keys, sizes.width);
        v.fetch(memory, all_keys, sizes.out);
        // SAFETY: keys, values and panels are within the operands
        unsafe {
            let (narrow, wide) = (sizes.width * WIDTH, sizes.out * WIDTH);
            let cleared = [
                (own.q, narrow),
                (own.g, wide),
                (own.scores, KEYS * WIDTH),
                (own.slopes, KEYS * WIDTH),
                (own.dq, narrow),
            ];
            Space::clear(&cleared, &self.scores);
            let packed = Packed {
                keys: Strips::pack(set, lanes(from_k, k.place(), k.element()), sizes.keys, sizes.width, keys),
                values: Strips::pack(set, lanes(from_v, v.place(), v.element()), sizes.keys, sizes.out, values),
                turned: Strips::pack(set, lanes(from_k, k.element(), k.place()), sizes.width, sizes.keys, turned),
            };
            std::ptr::write_bytes(sums, 0, self.sums());
            let all = shared * panels;
            let last = all * (cut + 1) / cuts;
            for panel in all * cut / cuts..last {
                let place = self.scores.place(batch, group, panel);
                if panel + 1 < last {
                    let next = self.scores.place(batch, group, panel + 1);
                    q.fetch(memory, next, sizes.width);
                    self.g.fetch(memory, next, sizes.out);
                    self.y.fetch(memory, next, sizes.out);
                }
                self.dq.fetch(memory, place, sizes.width);
                self.panel(memory, place, &packed, &own, sums);
            }
        }
    }
}

impl Kernel for AttentionGrad {
    fn scratch(&self, threads: usize) -> Scratch {
        let Sizes { batch, groups, .. } = self.scores.sizes;
        let cuts = self.scores.cuts(threads);
        let own = Space::bytes(&self.pieces()).saturating_add(Space::bytes(&[self.sums()]));
        let partial = self.sums().saturating_mul(batch * groups).saturating_mul(cuts * 4);
        Scratch { shared: if cuts > 1 { partial } else { 0 }, own }
    }

    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        let Sizes { batch, groups, .. } = self.scores.sizes;
        let (cuts, sums) = (self.scores.cuts(worker.count), self.sums());
        let partial = memory.shared.cast::<f32>();
        worker.each(batch * groups * cuts, |task| {
            let at = (task / cuts / groups, task / cuts % groups);
            let mut space = Space(memory.own[worker.index].cast());
            let into = if cuts > 1 { partial.wrapping_add(task * sums) } else { space.take(sums) };
            // the last panels see most: they go first
            let cut = (cuts - 1 - task % cuts, cuts);
            // SAFETY: the group is within the operands; only this task writes these panels and these sums
            unsafe {
                self.group(memory, at, cut, &mut space, into);
                if cuts == 1 {
                    self.settle(memory, at.0, at.1, into);
                }
            }
        });
        if cuts > 1 {
            worker.each(batch * groups, |task| {
                let first = partial.wrapping_add(task * cuts * sums);
                // SAFETY: the sums of every cut of this group, which only this task reads and writes
                unsafe {
                    for cut in 1..cuts {
                        let other = first.add(cut * sums);
                        (0..sums).for_each(|i| *first.add(i) += *other.add(i));
                    }
                    self.settle(memory, task / groups, task % groups, first);
                }
            });
        }
    }
}
