//! Normalisations, softmax and cross-entropy beside plain loops in double precision.
use super::testing::{Case, close, random, wide};

/// Widths on and off the chunk of lanes; numbers of rows on and off the batches.
const SIZES: [(usize, usize); 8] = [(1, 1), (3, 5), (7, 32), (65, 33), (130, 100), (2, 1000), (0, 4), (300, 1)];

fn threads(f: impl Fn(usize)) {
    f(1);
    f(3);
}

fn statistics(x: &[f64], epsilon: f64, centred: bool) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = if centred { x.iter().sum::<f64>() / n } else { 0.0 };
    (mean, 1.0 / (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n + epsilon).sqrt())
}

#[test]
fn normalised_rows_are_what_double_precision_says() {
    for ((rows, width), centred) in SIZES.into_iter().flat_map(|s| [(s, true), (s, false)]) {
        let (x, gain, bias) = (random(1, rows * width), random(2, width), random(3, width));
        let mut case = Case::default();
        case.numbers(&[rows, width]).float(1e-3);
        case.operand(&x);
        case.operand(&gain);
        if centred {
            case.operand(&bias);
        }
        let y = case.result(rows * width);
        let mean = centred.then(|| case.result(rows));
        let inverse = case.result(rows);
        let (mut want, mut means, mut inverses) = (vec![], vec![], vec![]);
        for row in wide(&x).chunks(width) {
            let (mean, inverse) = statistics(row, f64::from(1e-3f32), centred);
            means.push(mean);
            inverses.push(inverse);
            want.extend(row.iter().enumerate().map(|(i, x)| {
                (x - mean) * inverse * f64::from(gain[i]) + if centred { f64::from(bias[i]) } else { 0.0 }
            }));
        }
        let name = if centred { "layerNorm" } else { "rmsNorm" };
        threads(|n| {
            let slots = case.run(name, n).unwrap();
            close("y", &slots[y], &want, 1e-5);
            close("inverse", &slots[inverse], &inverses, 1e-5);
            mean.inspect(|&mean| close("mean", &slots[mean], &means, 1e-6));
        });
        if rows * width > 0 {
            case.refuses_what_does_not_fit(name);
        }
    }
}

#[test]
fn the_gradient_of_a_normalisation_is_what_double_precision_says() {
    for ((rows, width), centred) in SIZES.into_iter().flat_map(|s| [(s, true), (s, false)]) {
        let (x, gain, g) = (random(1, rows * width), random(2, width), random(3, rows * width));
        let (means, inverses) = (random(4, rows), random(5, rows));
        let mut case = Case::default();
        case.numbers(&[rows, width]);
        case.operand(&x);
        case.operand(&gain);
        if centred {
            case.operand(&means);
        }
        case.operand(&inverses);
        case.operand(&g);
        let dx = case.result(rows * width);
        let dgain = case.result(width);
        let dbias = centred.then(|| case.result(width));
        let (mut want, mut gains, mut biases) = (vec![], vec![0.0; width], vec![0.0; width]);
        for row in 0..rows {
            let at = |v: &[f32], i: usize| f64::from(v[row * width + i]);
            let (mean, inverse) = (if centred { f64::from(means[row]) } else { 0.0 }, f64::from(inverses[row]));
            let normal = |i: usize| (at(&x, i) - mean) * inverse;
            let dn = |i: usize| at(&g, i) * f64::from(gain[i]);
            let n = width as f64;
            let plain = if centred { (0..width).map(dn).sum::<f64>() / n } else { 0.0 };
            let weighed = (0..width).map(|i| dn(i) * normal(i)).sum::<f64>() / n;
            for i in 0..width {
                want.push((dn(i) - plain - normal(i) * weighed) * inverse);
                gains[i] += at(&g, i) * normal(i);
                biases[i] += at(&g, i);
            }
        }
        let name = if centred { "layerNormGrad" } else { "rmsNormGrad" };
        threads(|n| {
            let slots = case.run(name, n).unwrap();
            close("dx", &slots[dx], &want, 1e-5);
            close("dgain", &slots[dgain], &gains, 1e-5);
            dbias.inspect(|&dbias| close("dbias", &slots[dbias], &biases, 1e-5));
            assert_eq!(slots[dgain], case.run(name, 2).unwrap()[dgain], "the same for any team");
        });
        if rows * width > 0 {
            case.refuses_what_does_not_fit(name);
        }
    }
}

fn probabilities(x: &[f64]) -> (Vec<f64>, f64) {
    let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = x.iter().map(|x| (x - top).exp()).sum();
    (x.iter().map(|x| (x - top).exp() / sum).collect(), top + sum.ln())
}

#[test]
fn softmax_its_logarithm_and_its_gradient_are_what_double_precision_says() {
    for (rows, width) in SIZES {
        let x: Vec<f32> = random(1, rows * width).iter().map(|x| x * 30.0).collect();
        let g = random(2, rows * width);
        let (mut p, mut logs, mut dx) = (vec![], vec![], vec![]);
        for (row, g) in wide(&x).chunks(width).zip(wide(&g).chunks(width)) {
            let (y, lse) = probabilities(row);
            logs.extend(row.iter().map(|x| x - lse));
            let mean: f64 = y.iter().zip(g).map(|(y, g)| y * g).sum();
            dx.extend(y.iter().zip(g).map(|(y, g)| y * (g - mean)));
            p.extend(y);
        }
        let near: Vec<f32> = p.iter().map(|&p| p as f32).collect();
        for (name, inputs, want, tolerance) in [
            ("softmax", vec![&x], &p, 1e-5),
            ("logSoftmax", vec![&x], &logs, 1e-6),
            ("softmaxGrad", vec![&near, &g], &dx, 1e-6),
        ] {
            let mut case = Case::default();
            case.numbers(&[rows, width]);
            for input in inputs {
                case.operand(input);
            }
            let y = case.result(rows * width);
            threads(|n| close(name, &case.run(name, n).unwrap()[y], want, tolerance));
            if rows * width > 0 {
                case.refuses_what_does_not_fit(name);
            }
            // the result in the place of the last input
            let words = case.words.len();
            case.words[words - 2] -= 1;
            threads(|n| close(name, &case.run(name, n).unwrap()[y - 1], want, tolerance));
        }
    }
}

#[test]
fn a_row_of_one_large_number_keeps_its_probabilities() {
    let mut case = Case::default();
    case.numbers(&[1, 3]);
    case.operand(&[-1e9, 1e9, -1e9]);
    let y = case.result(3);
    assert_eq!(case.run("softmax", 1).unwrap()[y], [0.0, 1.0, 0.0]);
}

#[test]
fn cross_entropy_and_its_gradient_are_what_double_precision_says() {
    for (rows, width) in SIZES {
        let stride = width + 3;
        let x: Vec<f32> = random(1, rows * stride).iter().map(|x| x * 10.0).collect();
        let g = random(2, rows);
        let labels: Vec<i32> =
            (0..rows).map(|i| (i * 7 % width) as i32 - if i % 3 == 0 { width as i32 } else { 0 }).collect();
        let (mut losses, mut sums, mut slopes, mut packed) = (vec![], vec![], vec![], vec![]);
        for (row, &label) in labels.iter().enumerate() {
            let logits = &wide(&x)[row * stride..row * stride + width];
            let (p, lse) = probabilities(logits);
            let label = label.rem_euclid(width as i32) as usize;
            losses.push(lse - logits[label]);
            sums.push(lse);
            packed.extend_from_slice(&x[row * stride..row * stride + width]);
            slopes.extend(p.iter().enumerate().map(|(i, p)| (p - f64::from(i == label)) * f64::from(g[row])));
        }
        let mut case = Case::default();
        case.numbers(&[rows, width, stride]);
        case.operand(&x[..(rows * stride).saturating_sub(3)]);
        case.whole(&labels);
        let (loss, lse) = (case.result(rows), case.result(rows));
        threads(|n| {
            let slots = case.run("crossEntropy", n).unwrap();
            close("loss", &slots[loss], &losses, 1e-6);
            close("lse", &slots[lse], &sums, 1e-6);
        });
        let mut back = Case::default();
        back.numbers(&[rows, width]);
        let logits = back.operand(&packed);
        back.whole(&labels);
        back.operand(&sums.iter().map(|&s| s as f32).collect::<Vec<_>>());
        back.operand(&g);
        let out = back.result(rows * width);
        threads(|n| close("slopes", &back.run("crossEntropyGrad", n).unwrap()[out], &slopes, 2e-6));
        if rows > 0 {
            case.refuses_what_does_not_fit("crossEntropy");
            back.refuses_what_does_not_fit("crossEntropyGrad");
        }
        let words = back.words.len();
        back.words[words - 2] = logits as u32;
        threads(|n| close("in place", &back.run("crossEntropyGrad", n).unwrap()[logits], &slopes, 2e-6));
    }
}

#[test]
fn a_label_outside_reads_nothing_and_its_loss_is_no_number() {
    for label in [3, -4, i32::MAX, i32::MIN] {
        let mut case = Case::default();
        case.numbers(&[1, 3, 3]);
        case.operand(&[1.0, 2.0, 3.0]);
        case.whole(&[label]);
        let (loss, lse) = (case.result(1), case.result(1));
        let slots = case.run("crossEntropy", 1).unwrap();
        assert!(slots[loss][0].is_nan() && slots[lse][0].is_finite());
    }
}
