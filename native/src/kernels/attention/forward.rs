//! The forward pass: each panel of queries goes through the keys once.
use super::lanes::{Totals, exponentials, row_exponentials, scale};
use super::mask::Place;
use super::strips::{Source, Strips, WIDTH, pack_panel, spread};
use super::{KEYS, Scores, Sizes, Space, View};
use crate::gemm::Parts;
use crate::kernel::{Kernel, Scratch};
use crate::memory::Memory;
use crate::reader::{Reader, Result};
use crate::simd::Simd;
use crate::team::Worker;

pub struct Attention {
    pub(super) scores: Scores,
    pub(super) y: View,
    pub(super) lse: View,
    pub(super) row: unsafe fn(*mut f32, usize) -> (f32, f32),
    exponentials: unsafe fn(*mut f32, usize, &mut Totals),
    scale: unsafe fn(*mut f32, usize, &[f32; WIDTH]),
}

/// Words: those of `Scores`, then strides and operand of y [B H T E] and of each row's log-sum-exp [B H T].
pub fn read(r: &mut Reader) -> Result<Box<dyn Kernel>> {
    let scores = Scores::read(r)?;
    let Sizes { batch, heads, queries, out, .. } = scores.sizes;
    let y = View::read(r, [batch, heads, queries, out])?;
    let lse = View::read_rows(r, [batch, heads, queries])?;
    let simd = Simd::best();
    let (row, exponentials, scale) = (row_exponentials(simd), exponentials(simd), scale(simd));
    Ok(Box::new(Attention { scores, y, lse, row, exponentials, scale }))
}

/// Scratch of one thread, in pieces.
struct Pieces {
    q: *mut f32,
    block: *mut f32,
    y: *mut f32,
    turned: *mut f32,
}

impl Attention {
    fn pieces(&self) -> [usize; 6] {
        let Sizes { keys, width, out, .. } = self.scores.sizes;
        [
            Strips::floats(keys, width),
            Strips::floats(out, keys),
            Strips::floats(WIDTH, width),
            KEYS * WIDTH,
            out.saturating_mul(WIDTH),
            Strips::floats(WIDTH, out),
        ]
    }

    /// The value and the log-sum-exp of one panel.
    unsafe fn panel(&self, memory: &Memory, place: Place, (keys, values): (&Strips, &Strips), own: &Pieces) {
        let Scores { sizes, scale, mask, q, set, .. } = &self.scores;
        let Place { batch, head, first, count } = place;
        let source = Source { from: q.at(memory, batch, head, first), line: q.place(), step: q.element() };
        let mut totals = Totals::none();
        // SAFETY: the panel is within the operands, and the pieces of scratch are as large as `pieces` says
        unsafe {
            pack_panel(set, source, count, WIDTH, sizes.width, own.q);
            let strips = keys.holding(mask.limit(place));
            for which in Parts::new(strips, 1, (KEYS / set.rows()).max(1)).all() {
                let span = keys.lines(which.clone());
                keys.times(which.clone(), 0..sizes.width, (own.q, count), own.block, (*scale, false));
                mask.apply(memory, place, span.clone(), own.block);
                (self.exponentials)(own.block, span.len(), &mut totals);
                if which.start > 0 {
                    (self.scale)(own.y, sizes.out, &totals.factor);
                }
                values.times(0..values.number(), span, (own.block, count), own.y, (1.0, which.start > 0));
            }
            (self.scale)(own.y, sizes.out, &totals.sum.map(|sum| 1.0 / sum));
            let source = Source { from: own.y, line: WIDTH, step: 1 };
            pack_panel(set, source, sizes.out, sizes.out, count, own.turned);
            let to = self.y.at(memory, batch, head, first);
            spread(own.turned, sizes.out, (count, sizes.out), to, (self.y.place(), self.y.element()));
            let lse = self.lse.at(memory, batch, head, first);
            for i in 0..count {
                *lse.add(i * self.lse.place()) = totals.top[i] + totals.sum[i].ln();
            }
        }
    }

    /// Without keys there is nothing to see: zero, whose log-sum-exp is that of nothing.
    unsafe fn nothing(&self, memory: &Memory, batch: usize, head: usize) {
        let Sizes { queries, out, .. } = self.scores.sizes;
        for row in 0..queries {
            let (y, lse) = (self.y.at(memory, batch, head, row), self.lse.at(memory, batch, head, row));
            // SAFETY: the row is within the operands
            unsafe {
                (0..out).for_each(|i| *y.add(i * self.y.element()) = 0.0);
                *lse = f32::NEG_INFINITY;
            }
        }
    }
}

impl Kernel for Attention {
    fn scratch(&self, _threads: usize) -> Scratch {
        let own = if self.is_few() { Space::bytes(&self.few_pieces()) } else { Space::bytes(&self.pieces()) };
        Scratch { shared: 0, own }
    }

    unsafe fn run(&self, memory: &Memory, worker: &Worker) {
        if self.is_few() {
            // SAFETY: the caller's
            return unsafe { self.run_few(memory, worker) };
        }
        let Scores { sizes, q, k, v, set, .. } = &self.scores;
        let (cuts, shared, panels) = (self.scores.cuts(worker.count), sizes.heads / sizes.groups, self.scores.panels());
        if sizes.keys == 0 {
            return worker.each(sizes.batch * sizes.heads, |task| {
                // SAFETY: the head is within the operands
                unsafe { self.nothing(memory, task / sizes.heads, task % sizes.heads) }
            });
        }
        worker.each(sizes.batch * sizes.groups * cuts, |task| {
            let (batch, group) = (task / cuts / sizes.groups, task / cuts % sizes.groups);
            let mut space = Space(memory.own[worker.index].cast());
            let [at_k, at_v, at_q, block, y, turned] = self.pieces().map(|n| space.take(n));
            let own = Pieces { q: at_q, block, y, turned };
            let all_keys = Place { batch, head: group, first: 0, count: sizes.keys };
            k.fetch(memory, all_keys, sizes.width);
            v.fetch(memory, all_keys, sizes.out);
            let (from_k, from_v) = (k.at(memory, batch, group, 0), v.at(memory, batch, group, 0));
            let all = shared * panels;
            // the last panels see most: they go first
            let cut = cuts - 1 - task % cuts;
            // SAFETY: keys, values and panels are within the operands; only this task writes these panels
            unsafe {
                let lines = Source { from: from_k, line: k.place(), step: k.element() };
                let lanes = sizes.width * WIDTH;
                Space::clear(&[(at_q, lanes), (block, KEYS * WIDTH), (y, sizes.out * WIDTH)], &self.scores);
                let keys = Strips::pack(set, lines, sizes.keys, sizes.width, at_k);
                let lines = Source { from: from_v, line: v.element(), step: v.place() };
                let values = Strips::pack(set, lines, sizes.out, sizes.keys, at_v);
                let last = all * (cut + 1) / cuts;
                for panel in all * cut / cuts..last {
                    let place = self.scores.place(batch, group, panel);
                    if panel + 1 < last {
                        q.fetch(memory, self.scores.place(batch, group, panel + 1), sizes.width);
                    }
                    self.y.fetch(memory, place, sizes.out);
                    self.panel(memory, place, (&keys, &values), &own);
                }
            }
        });
    }
}
