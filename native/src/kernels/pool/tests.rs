//! Pools against plain loops in double precision: odd sizes, both layouts, one thread and three.
use super::*;
use crate::kernels::image_testing::{LAYOUTS, places, run, strides, whole};

#[derive(Clone, Copy, Debug)]
struct Case {
    x: [usize; 4],
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Above, left, below, right.
    padding: [usize; 4],
}
const CASES: [Case; 6] = [
    Case { x: [2, 35, 7, 6], kernel: [3, 3], stride: [2, 2], padding: [1, 1, 1, 1] },
    Case { x: [3, 16, 4, 4], kernel: [2, 2], stride: [2, 2], padding: [0; 4] },
    Case { x: [1, 3, 9, 5], kernel: [4, 2], stride: [1, 3], padding: [3, 1, 0, 0] },
    Case { x: [1, 130, 3, 3], kernel: [3, 3], stride: [1, 1], padding: [2, 0, 0, 2] },
    Case { x: [0, 2, 4, 4], kernel: [2, 2], stride: [1, 1], padding: [0; 4] },
    Case { x: [1, 1, 1, 1], kernel: [1, 1], stride: [1, 1], padding: [0; 4] },
];

impl Case {
    fn y(&self) -> [usize; 4] {
        let windows =
            |d: usize| (self.x[2 + d] + self.padding[d] + self.padding[2 + d] - self.kernel[d]) / self.stride[d] + 1;
        [self.x[0], self.x[1], windows(0), windows(1)]
    }
    fn words(&self) -> Vec<usize> {
        let [n, c, h, w] = self.x;
        [&[n, c, h, w][..], &self.kernel, &self.y()[2..], &self.stride, &self.padding[..2]].concat()
    }
    /// Row-major places of the image that each window reads.
    fn reads(&self) -> Vec<Vec<usize>> {
        let ([_, _, h, w], [n, c, oh, ow]) = (self.x, self.y());
        let reads = |i: usize| {
            let (u, v) = (i / ow % oh * self.stride[0], i % ow * self.stride[1]);
            let taps = (0..self.kernel[0] * self.kernel[1]).map(move |t| (t / self.kernel[1], t % self.kernel[1]));
            let place =
                taps.map(move |(a, b)| ((u + a).wrapping_sub(self.padding[0]), (v + b).wrapping_sub(self.padding[1])));
            place.filter(|p| p.0 < h && p.1 < w).map(|p| (i / oh / ow * h + p.0) * w + p.1).collect()
        };
        (0..n * c * oh * ow).map(reads).collect()
    }
}

type Read = fn(&mut Reader) -> Result<Box<dyn Kernel>>;
/// Runs a kernel over tensors of these sizes, the last of which it writes, in every pair of layouts; whole numbers in.
fn check(read: Read, words: &[usize], dims: &[[usize; 4]], want: &dyn Fn(&[Vec<f64>]) -> Vec<f64>) {
    for i in 0..1 << dims.len() {
        let by: Vec<[usize; 4]> = dims.iter().enumerate().map(|(t, &d)| strides(d, LAYOUTS[i >> t & 1], t)).collect();
        let mut words = words.to_vec();
        let mut slots = vec![];
        for (t, (dims, by)) in dims.iter().zip(&by).enumerate() {
            words.extend(by);
            words.extend([t, 2]);
            let end = 3 + dims.iter().zip(by).map(|(n, by)| n.saturating_sub(1) * by).sum::<usize>();
            slots.push(whole(end, t));
        }
        let values: Vec<Vec<f64>> = dims
            .iter()
            .zip(&by)
            .zip(&slots)
            .map(|((&d, &by), slot)| places(d, by).map(|at| f64::from(slot[at + 2])).collect())
            .collect();
        let last = dims.len() - 1;
        let want = want(&values[..last]);
        for threads in [1, 3] {
            run(&read, &words, &mut slots, threads).unwrap();
            for (at, want) in places(dims[last], by[last]).zip(&want) {
                let got = f64::from(slots[last][at + 2]);
                assert!((got - want).abs() < 1e-5, "{words:?} by {threads}: {got}, not {want}");
            }
        }
    }
}

#[test]
fn the_largest_of_each_window_is_found_and_the_first_of_them_gets_its_gradient() {
    for case in CASES {
        let (reads, size) = (case.reads(), case.x.iter().product());
        let first = |x: &[f64], places: &[usize]| {
            places.iter().copied().reduce(|best, at| if x[at] > x[best] { at } else { best }).unwrap()
        };
        check(max, &case.words(), &[case.x, case.y()], &|v| {
            reads.iter().map(|places| v[0][first(&v[0], places)]).collect()
        });
        check(max_gradient, &case.words(), &[case.x, case.y(), case.x], &|v| {
            let mut dx = vec![0.0; size];
            reads.iter().zip(&v[1]).for_each(|(places, g)| dx[first(&v[0], places)] += g);
            dx
        });
    }
}

#[test]
fn the_mean_of_each_window_counts_its_padding_or_not() {
    for case in CASES {
        for padded in [false, true] {
            let (reads, size) = (case.reads(), case.x.iter().product());
            let words = [case.words(), vec![usize::from(padded)]].concat();
            let count = |places: &[usize]| if padded { case.kernel[0] * case.kernel[1] } else { places.len() } as f64;
            check(mean, &words, &[case.x, case.y()], &|v| {
                reads.iter().map(|places| places.iter().map(|&p| v[0][p]).sum::<f64>() / count(places)).collect()
            });
            check(mean_gradient, &words, &[case.y(), case.x], &|v| {
                let mut dx = vec![0.0; size];
                for (places, g) in reads.iter().zip(&v[0]) {
                    places.iter().for_each(|&p| dx[p] += g / count(places));
                }
                dx
            });
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let case = CASES[0];
    let end = |dims: [usize; 4]| vec![0.0; dims.iter().product()];
    let mut slots = [end(case.x), end(case.y())];
    let by = |dims| strides(dims, LAYOUTS[0], 0).to_vec();
    let words = [case.words(), by(case.x), vec![0, 0], by(case.y()), vec![1, 0]].concat();
    assert!(run(&(max as Read), &words, &mut slots, 1).is_ok());
    for cut in 0..words.len() {
        assert!(run(&(max as Read), &words[..cut], &mut slots, 1).is_err());
    }
    // more images, a kernel or stride of 0, padding as wide as the kernel, a result that overlaps
    for (place, word) in [(0, 9), (0, u32::MAX as usize), (4, 0), (8, 0), (10, 3), (11, 1 << 30), (21, 0)] {
        let mut words = words.clone();
        words[place] = word;
        assert!(run(&(max as Read), &words, &mut slots, 1).is_err(), "word {place} as {word}");
    }
}
