//! A range cut into parts.
use std::ops::Range;

/// `0..count` in parts of at most `most`, as even as whole units allow; one empty part where there is nothing.
#[derive(Clone, Copy)]
pub struct Parts {
    count: usize,
    unit: usize,
    pub parts: usize,
}

impl Parts {
    /// `most` is rounded down to whole units, but not to none.
    pub fn new(count: usize, unit: usize, most: usize) -> Parts {
        let units = (most / unit).max(1);
        Parts { count, unit, parts: count.div_ceil(unit).div_ceil(units).max(1) }
    }
    pub fn at(self, i: usize) -> Range<usize> {
        let bound = |i: usize| (i * self.count.div_ceil(self.unit) / self.parts * self.unit).min(self.count);
        bound(i)..bound(i + 1)
    }
    pub fn all(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.parts).map(move |i| self.at(i))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_range_once_and_none_is_larger_than_asked() {
        for count in 0..200 {
            for (unit, most) in [(1, 14), (16, 64), (32, 96), (16, 7)] {
                let parts: Vec<_> = Parts::new(count, unit, most).all().collect();
                assert_eq!(parts.iter().flat_map(Clone::clone).collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
                assert!(parts.iter().all(|p| p.len() <= most.max(unit) && (count == 0 || !p.is_empty())));
            }
        }
    }
}
