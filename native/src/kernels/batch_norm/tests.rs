//! Batch normalisation against its formulas in double precision: odd sizes, both layouts, in place, one thread and three.
use super::*;
use crate::kernels::image_testing::{LAYOUTS, places, run, strides};

const SHAPES: [[usize; 3]; 7] = [[3, 5, 7], [2, 83, 12], [4, 16, 300], [1, 130, 1], [5, 3, 33], [2, 0, 3], [1, 1, 1]];
const EPSILON: f32 = 1e-3;
type Read = fn(&mut Reader) -> Result<Box<dyn Kernel>>;

/// Fractions that differ, with a mean far from 0.
fn fractions(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + seed * 11) % 101) as f32 / 101.0 + 3.0).collect()
}

/// Words of [N C S] in a layout, in slot `slot` from 1.
fn placed([n, c, s]: [usize; 3], layout: usize, slot: usize) -> (Vec<usize>, [usize; 4], usize) {
    let by = strides([n, c, 1, s], LAYOUTS[layout], 0);
    (vec![by[0], by[1], by[3], slot, 1], by, 2 + [n, c, s].map(|n| n.max(1)).iter().product::<usize>())
}
fn values(slot: &[f32], [n, c, s]: [usize; 3], by: [usize; 4]) -> Vec<f64> {
    places([n, c, 1, s], by).map(|at| f64::from(slot[at + 1])).collect()
}
fn near(got: f64, want: f64) -> bool {
    (got - want).abs() <= 2e-5 * (1.0 + want.abs())
}

/// Mean and inverse deviation of each channel.
fn moments(x: &[f64], [n, c, s]: [usize; 3]) -> Vec<(f64, f64)> {
    let of = |channel: usize| x.iter().enumerate().filter(move |(i, _)| i / s % c == channel).map(|(_, &v)| v);
    let count = (n * s) as f64;
    let one = |channel| {
        let mean = of(channel).sum::<f64>() / count;
        let spread = of(channel).map(|v| (v - mean) * (v - mean)).sum::<f64>() / count;
        (mean, 1.0 / (spread + f64::from(EPSILON)).sqrt())
    };
    (0..c).map(one).collect()
}

#[test]
fn every_channel_comes_to_mean_0_and_deviation_1_and_then_to_its_own() {
    for dims in SHAPES {
        let [_, c, s] = dims;
        for layouts in [[0, 0], [1, 1], [0, 1], [1, 0]] {
            for in_place in [false, layouts[0] == layouts[1]] {
                let (x, by, n) = placed(dims, layouts[0], 0);
                let (y, y_by, _) = placed(dims, layouts[1], if in_place { 0 } else { 3 });
                let words = [vec![dims[0], c, s, EPSILON.to_bits() as usize], x, vec![1, 0, 2, 0], y, vec![4, 0, 5, 0]];
                let out = if in_place { 0 } else { 3 };
                let mut bits: Option<Vec<u32>> = None;
                for threads in [1, 3] {
                    let mut slots: Vec<Vec<f32>> =
                        [n, c, c, n, c, c].iter().zip(0..).map(|(&n, i)| fractions(n, i)).collect();
                    let (x, gain, bias) = (values(&slots[0], dims, by), slots[1].clone(), slots[2].clone());
                    run(&(read as Read), &words.concat(), &mut slots, threads).unwrap();
                    let want = moments(&x, dims);
                    for (i, y) in values(&slots[out], dims, y_by).into_iter().enumerate() {
                        let channel = i / s % c;
                        let (mean, inverse) = want[channel];
                        let normal = (x[i] - mean) * inverse * f64::from(gain[channel]) + f64::from(bias[channel]);
                        assert!(near(y, normal), "{dims:?} {layouts:?} at {i}: {y}, not {normal}");
                    }
                    for (channel, &(mean, inverse)) in want.iter().enumerate() {
                        assert!(
                            near(f64::from(slots[4][channel]), mean) && near(f64::from(slots[5][channel]), inverse)
                        );
                    }
                    let now: Vec<u32> = slots.concat().iter().map(|x| x.to_bits()).collect();
                    assert!(bits.replace(now.clone()).is_none_or(|before| before == now));
                }
            }
        }
    }
}

#[test]
fn the_gradient_is_that_of_the_formula() {
    for dims in SHAPES {
        let [n, c, s] = dims;
        for i in 0..8 {
            let (x, x_by, size) = placed(dims, i & 1, 0);
            let (g, g_by, _) = placed(dims, i >> 1 & 1, 4);
            // written over g where both lie alike
            let out = if i & 2 == i >> 1 & 2 { 4 } else { 5 };
            let (dx, dx_by, _) = placed(dims, i >> 2, out);
            let words = [vec![n, c, s], x, vec![1, 0, 2, 0, 3, 0], g, dx, vec![6, 0, 7, 0]].concat();
            for threads in [1, 3] {
                let sizes = [size, c, c, c, size, size, c, c];
                let mut slots: Vec<Vec<f32>> = sizes.iter().zip(0..).map(|(&n, i)| fractions(n, i)).collect();
                let (x, g) = (values(&slots[0], dims, x_by), values(&slots[4], dims, g_by));
                for (channel, (mean, inverse)) in moments(&x, dims).into_iter().enumerate() {
                    (slots[2][channel], slots[3][channel]) = (mean as f32, inverse as f32);
                }
                let before = slots.clone();
                run(&(read_gradient as Read), &words, &mut slots, threads).unwrap();
                let number = |slot: usize, channel: usize| f64::from(before[slot][channel]);
                let normal = |i: usize| (x[i] - number(2, i / s % c)) * number(3, i / s % c);
                let (mut dgain, mut dbias) = (vec![0.0; c], vec![0.0; c]);
                for i in 0..x.len() {
                    dgain[i / s % c] += g[i] * normal(i);
                    dbias[i / s % c] += g[i];
                }
                for (i, got) in values(&slots[out], dims, dx_by).into_iter().enumerate() {
                    let channel = i / s % c;
                    let shares = (dbias[channel] + normal(i) * dgain[channel]) / (n * s) as f64;
                    let want = number(1, channel) * number(3, channel) * (g[i] - shares);
                    // differences of numbers near 3, times an inverse deviation of up to 30
                    assert!((got - want).abs() < 2e-4, "{dims:?} {i}: {got}, not {want}");
                }
                for channel in 0..c {
                    // sums of 1200 numbers near 3
                    assert!((f64::from(slots[6][channel]) - dgain[channel]).abs() < 2e-3);
                    assert!(near(f64::from(slots[7][channel]), dbias[channel]));
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let dims = [2, 5, 6];
    let (x, ..) = placed(dims, 0, 0);
    let (y, ..) = placed(dims, 1, 3);
    let words = [vec![2, 5, 6, 0], x, vec![1, 0, 2, 0], y, vec![4, 0, 5, 0]].concat();
    let mut slots = [62, 5, 5, 62, 5, 5].map(|n| vec![0.0; n]);
    assert!(run(&(read as Read), &words, &mut slots, 1).is_ok());
    for cut in 0..words.len() {
        assert!(run(&(read as Read), &words[..cut], &mut slots, 1).is_err());
    }
    for (place, word) in
        [(0, 3), (1, 6), (2, 7), (0, u32::MAX as usize), (8, 3), (9, 6), (10, 1), (13, 0), (17, 3), (19, 1)]
    {
        let mut words = words.clone();
        words[place] = word;
        assert!(run(&(read as Read), &words, &mut slots, 1).is_err(), "word {place} as {word}");
    }
}
