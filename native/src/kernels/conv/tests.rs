//! Each of the three against plain loops in double precision: odd sizes, both layouts, every instruction set, one thread and three.
use super::geometry::Geometry;
use super::spread::Spread;
use super::tile::Tiles;
use super::weights::Weights;
use super::winograd::{Tiled, TiledWeights};
use crate::kernel::Kernel;
use crate::kernels::image_testing::{LAYOUTS, places, run, strides, whole};
use crate::kernels::view::View;
use crate::reader::{Reader, Result};

#[derive(Clone, Copy, Debug)]
struct Case {
    x: [usize; 4],
    o: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Above, left, below, right.
    padding: [usize; 4],
    dilation: [usize; 2],
    groups: usize,
}
const PLAIN: Case =
    Case { x: [2, 5, 6, 7], o: 4, kernel: [3, 3], stride: [1, 1], padding: [1; 4], dilation: [1, 1], groups: 1 };

fn cases() -> Vec<Case> {
    vec![
        PLAIN,
        Case { x: [1, 17, 5, 4], o: 35, ..PLAIN },
        Case { x: [3, 20, 9, 7], o: 19, stride: [2, 2], ..PLAIN },
        Case { x: [2, 33, 8, 8], o: 34, kernel: [1, 1], padding: [0; 4], ..PLAIN },
        Case { x: [2, 18, 7, 7], o: 16, kernel: [1, 1], stride: [2, 2], padding: [0; 4], ..PLAIN },
        Case { x: [1, 16, 11, 10], o: 3, kernel: [2, 3], stride: [1, 3], padding: [2, 0, 0, 3], ..PLAIN },
        Case { x: [1, 19, 12, 9], o: 18, dilation: [2, 3], padding: [2, 3, 2, 3], ..PLAIN },
        Case { x: [1, 3, 13, 12], o: 33, kernel: [5, 5], padding: [2; 4], ..PLAIN },
        Case { x: [1, 34, 5, 4], o: 38, groups: 2, ..PLAIN },
        Case { x: [2, 6, 7, 5], o: 6, groups: 6, stride: [2, 1], ..PLAIN },
        Case { x: [1, 16, 37, 31], o: 3, ..PLAIN },
        Case { x: [70, 16, 4, 4], o: 5, ..PLAIN },
        Case { x: [1, 16, 2, 2], o: 16, kernel: [1, 1], padding: [2; 4], ..PLAIN },
        Case { x: [1, 1, 1, 1], o: 1, ..PLAIN },
        Case { x: [0, 3, 4, 4], ..PLAIN },
        Case { x: [2, 0, 4, 4], ..PLAIN },
        Case { x: [2, 3, 4, 4], o: 0, ..PLAIN },
    ]
}

impl Case {
    fn w(&self) -> [usize; 4] {
        [self.o, self.x[1] / self.groups, self.kernel[0], self.kernel[1]]
    }
    fn y(&self) -> [usize; 4] {
        let windows = |d: usize| {
            let reach = (self.kernel[d] - 1) * self.dilation[d] + 1;
            (self.x[2 + d] + self.padding[d] + self.padding[2 + d] - reach) / self.stride[d] + 1
        };
        [self.x[0], self.o, windows(0), windows(1)]
    }
    fn sizes(&self) -> Vec<usize> {
        let [n, c, h, w] = self.x;
        let [_, _, oh, ow] = self.y();
        let Case { o, kernel, stride, padding, dilation, groups, .. } = *self;
        let [kh, kw] = kernel;
        [&[n, c, h, w, o, kh, kw, oh, ow][..], &stride, &padding[..2], &dilation, &[groups]].concat()
    }
    /// `f(x, w, y)` for every product, by row-major places.
    fn products(&self, mut f: impl FnMut(usize, usize, usize)) {
        let ([n, c, h, w], [_, depth, kh, kw], [_, o, oh, ow]) = (self.x, self.w(), self.y());
        for i in 0..n * o * oh * ow * depth * kh * kw {
            let (b, a) = (i % kw, i / kw % kh);
            let (d, rest) = (i / kw / kh % depth, i / kw / kh / depth);
            let (v, u, to) = (rest % ow, rest / ow % oh, rest / ow / oh % o);
            let image = rest / ow / oh / o;
            let row = (u * self.stride[0] + a * self.dilation[0]).wrapping_sub(self.padding[0]);
            let column = (v * self.stride[1] + b * self.dilation[1]).wrapping_sub(self.padding[1]);
            if row < h && column < w {
                let from = to / (o / self.groups) * depth + d;
                f(((image * c + from) * h + row) * w + column, ((to * depth + d) * kh + a) * kw + b, rest);
            }
        }
    }
}

type Read = Box<dyn Fn(&mut Reader) -> Result<Box<dyn Kernel>>>;
/// A kernel: how it is read, and which of x, w, y are its operands and its result.
struct Subject {
    read: Read,
    which: [usize; 3],
}
/// The three kernels, tap by tap or over transformed tiles.
fn kernels(tiles: &'static Tiles, transformed: bool) -> Vec<Subject> {
    let subject = |which: [usize; 3]| {
        let read = move |r: &mut Reader| -> Result<Box<dyn Kernel>> {
            let g = Geometry::read(r)?;
            let dims = [g.x(), g.w(), g.y()];
            let views =
                [View::read(r, dims[which[0]])?, View::read(r, dims[which[1]])?, View::read_target(r, dims[which[2]])?];
            let [a, b, c] = views;
            Ok(match (which, transformed) {
                ([0, 1, 2], false) => Box::new(Spread::new(g, false, [a, b, c], tiles)),
                ([1, 2, 0], false) => Box::new(Spread::new(g, true, [b, a, c], tiles)),
                (_, false) => Box::new(Weights::new(g, [a, b, c], tiles)),
                ([0, 1, 2], true) => Box::new(Tiled::new(&g, false, [a, b, c], tiles)),
                ([1, 2, 0], true) => Box::new(Tiled::new(&g, true, [b, a, c], tiles)),
                (_, true) => Box::new(TiledWeights::new(&g, [a, b, c], tiles)),
            })
        };
        Subject { read: Box::new(read), which }
    };
    [[0, 1, 2], [1, 2, 0], [0, 2, 1]].map(subject).into()
}

/// Slots for the operands and the result, and the words; the result's slot is soiled.
fn set(
    case: &Case,
    which: [usize; 3],
    layouts: [usize; 3],
    gap: usize,
) -> (Vec<usize>, Vec<Vec<f32>>, [[usize; 4]; 3]) {
    let dims = [case.x, case.w(), case.y()];
    let mut words = case.sizes();
    let mut slots = vec![];
    let by: [[usize; 4]; 3] = std::array::from_fn(|i| strides(dims[which[i]], LAYOUTS[layouts[i]], gap));
    for i in 0..3 {
        let (dims, by) = (dims[which[i]], by[i]);
        words.extend(by);
        words.extend([i, 1]);
        let end = 1 + dims.iter().zip(&by).map(|(n, by)| n.saturating_sub(1) * by).sum::<usize>();
        slots.push(if i < 2 { whole(end + 1, which[i]) } else { vec![f32::NAN; end + 1] });
    }
    (words, slots, by)
}

/// In double precision: each result, and the sum of the sizes of its products.
fn truth(case: &Case, which: [usize; 3], slots: &[Vec<f32>], by: [[usize; 4]; 3]) -> [Vec<f64>; 2] {
    let dims = [case.x, case.w(), case.y()];
    let values: Vec<Vec<f64>> =
        (0..2).map(|i| places(dims[which[i]], by[i]).map(|at| f64::from(slots[i][at + 1])).collect()).collect();
    let mut want = vec![0.0; dims[which[2]].iter().product()];
    let mut sizes = want.clone();
    case.products(|x, w, y| {
        let at = [x, w, y];
        let product = values[0][at[which[0]]] * values[1][at[which[1]]];
        want[at[which[2]]] += product;
        sizes[at[which[2]]] += f64::abs(product);
    });
    [want, sizes]
}

fn check(case: &Case, Subject { read, which }: &Subject, layouts: [usize; 3], gap: usize) {
    let dims = [case.x, case.w(), case.y()];
    let (words, mut slots, by) = set(case, *which, layouts, gap);
    let [want, _] = truth(case, *which, &slots, by);
    let mut bits: Option<Vec<u32>> = None;
    for threads in [1, 3] {
        run(read, &words, &mut slots, threads)
            .unwrap_or_else(|e| panic!("{case:?} {which:?} {layouts:?} by {threads}: {e}"));
        for (at, want) in places(dims[which[2]], by[2]).zip(&want) {
            let got = slots[2][at + 1];
            // whole numbers are exact, and so are the quarters that they are transformed to
            assert!(f64::from(got) == *want, "{case:?} {which:?} {layouts:?} by {threads}: {got}, not {want}");
        }
        let now = slots[2].iter().map(|x| x.to_bits()).collect();
        assert!(
            bits.replace(now).is_none_or(|before| before == slots[2].iter().map(|x| x.to_bits()).collect::<Vec<_>>())
        );
    }
}

#[test]
fn channels_may_lie_first_or_last() {
    for kernel in &kernels(Tiles::best(), false) {
        for case in cases() {
            for layouts in [[0, 0, 0], [1, 1, 1], [0, 1, 1], [1, 0, 0]] {
                check(&case, kernel, layouts, 0);
            }
            check(&case, kernel, [1, 0, 1], 3);
        }
    }
}

#[test]
fn every_instruction_set_here_computes_the_same() {
    for tiles in Tiles::all() {
        for kernel in &kernels(tiles, false) {
            for case in cases() {
                check(&case, kernel, [1, 0, 1], 0);
            }
        }
    }
}

#[test]
fn transformed_tiles_give_the_same() {
    let tiled = [
        Case { x: [2, 32, 8, 8], o: 48, ..PLAIN },
        Case { x: [1, 16, 9, 6], o: 16, padding: [0; 4], ..PLAIN },
        Case { x: [1, 80, 5, 7], o: 32, padding: [2, 1, 2, 1], ..PLAIN },
        Case { x: [300, 16, 2, 1], o: 16, ..PLAIN },
        Case { x: [1, 1040, 4, 4], o: 16, ..PLAIN },
    ];
    for tiles in Tiles::all() {
        for kernel in &kernels(tiles, true) {
            for case in &tiled[..if tiles.lanes == 16 { 5 } else { 3 }] {
                check(case, kernel, kernel.which.map(|t| usize::from(t != 1)), 0);
            }
        }
    }
}

#[test]
fn a_fraction_is_summed_alike_by_any_number_of_threads() {
    for Subject { read, which } in kernels(Tiles::best(), false).iter().chain(&kernels(Tiles::best(), true)) {
        let case = Case { x: [5, 32, 9, 16], o: 48, ..PLAIN };
        let (words, mut slots, _) = set(&case, *which, which.map(|t| usize::from(t != 1)), 0);
        for slot in &mut slots[..2] {
            slot.iter_mut().for_each(|x| *x = *x * 0.37 + 0.001);
        }
        let mut one = slots.clone();
        run(read, &words, &mut one, 1).unwrap();
        for threads in [2, 3, 5] {
            run(read, &words, &mut slots, threads).unwrap();
            assert!(one[2].iter().zip(&slots[2]).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }
}

/// Of fractions, an error is a few roundings of the sum of all products' sizes; transformed tiles have up to three times as many.
#[test]
fn fractions_are_near_their_sums_in_double_precision() {
    for (transformed, allowed) in [(false, 4e-7), (true, 12e-7)] {
        for Subject { read, which } in &kernels(Tiles::best(), transformed) {
            for case in [Case { x: [3, 64, 9, 8], o: 48, ..PLAIN }, Case { x: [1, 1040, 4, 4], o: 16, ..PLAIN }] {
                let (words, mut slots, by) = set(&case, *which, which.map(|t| usize::from(t != 1)), 0);
                for (seed, slot) in slots[..2].iter_mut().enumerate() {
                    let mut state = seed as u32 + 1;
                    slot.iter_mut().for_each(|x| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        *x = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
                    });
                }
                let dims = [case.x, case.w(), case.y()];
                let [want, sizes] = truth(&case, *which, &slots, by);
                run(read, &words, &mut slots, 2).unwrap();
                let mut worst = 0.0;
                for (i, at) in places(dims[which[2]], by[2]).enumerate() {
                    let off = (f64::from(slots[2][at + 1]) - want[i]).abs() / sizes[i];
                    worst = f64::max(worst, off);
                }
                assert!(
                    worst <= allowed,
                    "{case:?} {which:?} transformed {transformed}: off by {worst:e} of all sizes"
                );
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for Subject { read, which } in &kernels(Tiles::best(), false) {
        let (words, mut slots, _) = set(&PLAIN, *which, [1, 0, 1], 0);
        for cut in 0..words.len() {
            assert!(run(read, &words[..cut], &mut slots, 1).is_err());
        }
        let mut refused = |place: usize, word: usize| {
            let mut words = words.clone();
            words[place] = word;
            assert!(run(read, &words, &mut slots, 1).is_err(), "word {place} as {word}");
        };
        // sizes that operands do not hold, kernels, strides and dilations of 0, groups that do not divide
        for place in [0, 1, 2, 3, 4, 5, 6, 7, 8] {
            refused(place, 1 << 20);
            refused(place, u32::MAX as usize);
        }
        for place in [5, 6, 9, 10, 13, 14, 15] {
            refused(place, 0);
        }
        refused(11, u32::MAX as usize);
        refused(14, u32::MAX as usize);
        refused(15, 3);
        // operands beyond their slots, and a result whose elements fall together
        for operand in 0..3 {
            refused(16 + operand * 6, 1 << 20);
            refused(20 + operand * 6, 3);
            refused(21 + operand * 6, 1 << 20);
        }
        refused(28, 0);
    }
}
