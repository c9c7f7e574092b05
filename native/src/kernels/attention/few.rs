//! The forward pass of few queries, as generation has them: keys and values are read once, where they lie.
use super::forward::Attention;
use super::mask::Place;
use super::{Scores, Sizes, Space, View};
use crate::gemm::{FEW, Matrix, Product};
use crate::memory::Memory;
use crate::team::Worker;

impl Attention {
    /// Rows that are computed at once, and how many times in each group: the heads that share keys, or one head's queries.
    fn rows(&self) -> (usize, usize) {
        let Sizes { heads, groups, queries, .. } = self.scores.sizes;
        if queries == 1 { (heads / groups, 1) } else { (queries, heads / groups) }
    }

    pub fn is_few(&self) -> bool {
        let Scores { sizes, k, v, .. } = &self.scores;
        sizes.keys > 0 && self.rows().0 <= FEW && k.element() == 1 && v.element() == 1
    }

    /// Scratch of one thread: scores, values, and what the products need.
    pub fn few_pieces(&self) -> [usize; 3] {
        let (Scores { sizes, set, .. }, rows) = (&self.scores, self.rows().0);
        let products = [(sizes.keys, sizes.width), (sizes.out, sizes.keys)];
        let most = products.map(|(n, k)| set.scratch_alone(rows, n, k) / 4);
        [rows.saturating_mul(sizes.keys), rows.saturating_mul(sizes.out), most[0].max(most[1])]
    }

    /// # Safety
    /// As `run`, where queries are few.
    pub unsafe fn run_few(&self, memory: &Memory, worker: &Worker) {
        let Sizes { batch, groups, .. } = self.scores.sizes;
        let times = self.rows().1;
        worker.each(batch * groups * times, |task| {
            let (group, head) = (task / times % groups, task / times % groups * (self.scores.sizes.heads / groups));
            let mut space = Space(memory.own[worker.index].cast());
            let own = self.few_pieces().map(|n| space.take(n));
            // SAFETY: the heads are within the operands, and only this task writes them
            unsafe { self.few(memory, task / times / groups, (group, head + task % times), own) };
        });
    }

    /// The rows that begin with one head's first query.
    unsafe fn few(&self, memory: &Memory, batch: usize, (group, head): (usize, usize), own: [*mut f32; 3]) {
        let Scores { sizes, scale, mask, q, k, v, set } = &self.scores;
        let (rows, [scores, values, scratch]) = (self.rows().0, own);
        let one = sizes.queries == 1;
        let by = |view: &View| if one { view.strides[1] } else { view.place() };
        let keys = mask.limit(Place { batch, head, first: 0, count: sizes.queries });
        let product = Product {
            m: rows,
            n: keys,
            k: sizes.width,
            a: Matrix { at: q.at(memory, batch, head, 0), rows_by: by(q), columns_by: q.element() },
            b: Matrix { at: k.at(memory, batch, group, 0), rows_by: k.element(), columns_by: k.place() },
            c: scores,
            c_row: keys,
            alpha: *scale,
            accumulate: false,
        };
        // SAFETY: within the operands; the pieces of scratch are as large as `few_pieces` says
        unsafe {
            set.alone(&product, scratch);
            for row in 0..rows {
                let at = if one { (head + row, 0) } else { (head, row) };
                let scores = scores.add(row * keys);
                mask.apply_row(memory, (batch, at.0, at.1), keys, scores);
                let (top, sum) = (self.row)(scores, keys);
                *self.lse.at(memory, batch, at.0, at.1) = top + sum.ln();
                let share = 1.0 / sum;
                (0..keys).for_each(|i| *scores.add(i) *= share);
            }
            let a = Matrix { at: scores, rows_by: keys, columns_by: 1 };
            let b = Matrix { at: v.at(memory, batch, group, 0), rows_by: v.place(), columns_by: v.element() };
            let (n, k, c_row) = (sizes.out, keys, sizes.out);
            set.alone(&Product { m: rows, n, k, a, b, c: values, c_row, alpha: 1.0, accumulate: false }, scratch);
            let y = self.y.at(memory, batch, head, 0);
            for row in 0..rows {
                for i in 0..sizes.out {
                    *y.add(row * by(&self.y) + i * self.y.element()) = *values.add(row * sizes.out + i);
                }
            }
        }
    }
}
