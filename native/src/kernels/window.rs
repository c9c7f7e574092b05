//! Windows that slide over an image: which of its places each tap of which window reads.
use super::view::Steps;
use crate::reader::{Reader, Result};
use std::ops::Range;

/// Down and across.
pub type Pair = [usize; 2];

/// Windows of `kernel` taps, `windows` of them, over `image`; what falls outside reads nothing.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    pub image: Pair,
    pub kernel: Pair,
    pub windows: Pair,
    pub stride: Pair,
    /// Places added above and to the left.
    pub padding: Pair,
    pub dilation: Pair,
}

/// The largest number that a plan may say of a window: products of two of them fit in 63 bits.
const MOST: usize = 1 << 28;
impl Windows {
    /// Refuses numbers that would overflow, and a kernel, stride or dilation of 0.
    pub fn checked(self) -> Result<Windows> {
        let Windows { image, kernel, windows, stride, padding, dilation } = self;
        if [image, kernel, windows, stride, padding, dilation].concat().iter().any(|&n| n > MOST) {
            return Err(format!("a window of more than {MOST}: {self:?}"));
        }
        if [kernel, stride, dilation].concat().contains(&0) {
            return Err(format!("a window's kernel, stride or dilation is 0: {self:?}"));
        }
        Ok(self)
    }
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
    pub fn tap(&self, tap: usize) -> Pair {
        [tap / self.kernel[1], tap % self.kernel[1]]
    }
    /// Where tap `i` of window 0 reads; it may be outside.
    fn first(&self, axis: usize, i: usize) -> i64 {
        (i * self.dilation[axis]) as i64 - self.padding[axis] as i64
    }
    /// The windows in `among` whose tap `i` falls in `within` of the image.
    pub fn span(&self, axis: usize, i: usize, among: &Range<usize>, within: &Range<usize>) -> Range<usize> {
        let first = self.first(axis, i);
        let above = |place: usize| ((place as i64 - first).max(0) as usize).div_ceil(self.stride[axis]);
        let start = among.start.max(above(within.start));
        let end = among.end.min(above(within.end));
        start..end.max(start)
    }
    /// Where tap `i` of window `window` reads; it is inside.
    pub fn place(&self, axis: usize, i: usize, window: usize) -> usize {
        ((window * self.stride[axis]) as i64 + self.first(axis, i)) as usize
    }
    /// The taps of a window that read inside; taps may not be apart.
    pub fn taps_inside(&self, axis: usize, window: usize) -> Range<usize> {
        let start = window * self.stride[axis];
        let from = self.padding[axis].saturating_sub(start).min(self.kernel[axis]);
        let end = (self.image[axis] + self.padding[axis]).saturating_sub(start).min(self.kernel[axis]);
        from..end.max(from)
    }
    /// The rows of the image that rows `windows` read, and a few more where taps are apart.
    pub fn read_by(&self, windows: &Range<usize>) -> Range<usize> {
        let last = self.kernel[0] - 1;
        let start = ((windows.start * self.stride[0]) as i64 + self.first(0, 0)).max(0) as usize;
        let end = (windows.end.saturating_sub(1) * self.stride[0]) as i64 + self.first(0, last) + 1;
        let end = (end.max(0) as usize).min(self.image[0]);
        start.min(end)..end
    }
    /// The rows of windows that read rows `image`, and a few more.
    pub fn reading(&self, image: &Range<usize>) -> Range<usize> {
        let all = 0..self.windows[0];
        let of = |i: usize| self.span(0, i, &all, image);
        // the last tap reads a place in the earliest window, the first in the latest
        let (start, end) = (of(self.kernel[0] - 1).start, of(0).end);
        start.min(end)..end
    }
    /// How many windows' `tap` falls inside the image, down and across.
    pub fn reach(&self, tap: usize) -> Pair {
        let tap = self.tap(tap);
        [0, 1].map(|d| self.span(d, tap[d], &(0..self.windows[d]), &(0..self.image[d])).len())
    }
    /// `f(window, image)`: where each pair of a window of `rows` and a place in rows `within` that `tap` joins lies.
    #[inline(always)]
    pub fn pairs(
        &self,
        tap: usize,
        images: Range<usize>,
        rows: &Range<usize>,
        within: &Range<usize>,
        (window, image): (Steps, Steps),
        mut f: impl FnMut(usize, usize),
    ) {
        let [i, j] = self.tap(tap);
        let down = self.span(0, i, rows, within);
        let across = self.span(1, j, &(0..self.windows[1]), &(0..self.image[1]));
        if across.is_empty() {
            return;
        }
        let start = self.place(1, j, across.start);
        for n in images {
            for row in down.clone() {
                let mut a = n * window.n + row * window.h + across.start * window.w;
                let mut b = n * image.n + self.place(0, i, row) * image.h + start * image.w;
                for _ in across.clone() {
                    f(a, b);
                    a += window.w;
                    b += self.stride[1] * image.w;
                }
            }
        }
    }
}

/// The next words as a pair.
pub fn pair(r: &mut Reader) -> Result<Pair> {
    Ok([r.usize()?, r.usize()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tap_joins_the_places_that_a_plain_search_finds() {
        for (kernel, stride, padding, dilation) in
            [(3, 1, 1, 1), (3, 2, 1, 1), (2, 3, 0, 2), (1, 2, 3, 1), (5, 1, 9, 2)]
        {
            let (h, oh) = (7usize, 6usize);
            let all = Windows {
                image: [h, h],
                kernel: [kernel; 2],
                windows: [oh; 2],
                stride: [stride; 2],
                padding: [padding; 2],
                dilation: [dilation; 2],
            };
            let all = all.checked().unwrap();
            let (rows, within) = (1..5, 2..6);
            for i in 0..kernel {
                let reads = |o: usize| (o * stride + i * dilation) as i64 - padding as i64;
                let inside = |o: &usize| reads(*o) >= 2 && reads(*o) < 6;
                let want: Vec<usize> = rows.clone().filter(inside).collect();
                let got = all.span(0, i, &rows, &within);
                assert_eq!(got.clone().collect::<Vec<_>>(), want, "{all:?} tap {i}");
                for o in got {
                    assert_eq!(all.place(0, i, o) as i64, reads(o));
                    assert!(all.read_by(&rows).contains(&all.place(0, i, o)));
                    assert!(all.reading(&within).contains(&o));
                }
            }
        }
    }
}
