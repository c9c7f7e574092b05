//! Sums and maxima over any axes against a plain loop in double precision.
use super::*;

/// Sum and maximum of x², and x² itself, over each set of axes given.
fn check(dims: &[usize], masks: &[usize]) {
    let n: usize = dims.iter().product();
    let mut numbers = Numbers::new(n as u32);
    let x = numbers.floats(n);
    let mut case = Case::new(dims);
    case.input(&x);
    case.temporaries = 1;
    case.code = vec![[op("mul"), 1, 0, 0, 0]];
    let stored = case.output(1);
    let mut expected = Vec::new();
    for &mask in masks {
        let kept: Vec<usize> = dims.iter().enumerate().map(|(d, &n)| if mask >> d & 1 == 1 { 1 } else { n }).collect();
        let mut by = strides(&kept);
        (0..dims.len()).filter(|d| mask >> d & 1 == 1).for_each(|d| by[d] = 0);
        let cells: usize = kept.iter().product();
        let (mut sum, mut max) = (vec![0f64; cells], vec![f64::NEG_INFINITY; cells]);
        walk::each_place(dims, &walk::dense(dims), &walk::axes(&by), |from, to| {
            let square = f64::from(x[from] * x[from]);
            sum[to] += square;
            max[to] = max[to].max(square);
        });
        for (kind, want) in [sum, max].into_iter().enumerate() {
            let slot = case.slot(&vec![-7f32; cells]);
            case.reductions.push((kind, 1, mask, by.clone(), slot, 0));
            expected.push((slot, want));
        }
    }
    for simd in Simd::all() {
        let after = case.steady(simd);
        assert!(floats(&after[stored]).iter().zip(&x).all(|(&y, &x)| y == x * x));
        for (slot, want) in &expected {
            let got = floats(&after[*slot]);
            for (i, &want) in want.iter().enumerate() {
                let error = (f64::from(got[i]) - want).abs();
                assert!(
                    f64::from(got[i]) == want || error <= 3e-7 * want.abs(),
                    "{dims:?} by {masks:?}: {} for {want} at {i}",
                    got[i]
                );
            }
        }
    }
}

#[test]
fn any_axes_can_be_reduced() {
    for dims in [vec![3, 5, 7], vec![40, 30, 50], vec![1, 300, 3], vec![700, 2, 40]] {
        (0..8).for_each(|mask| check(&dims, &[mask]));
    }
    check(&[], &[0]);
    check(&[100_001], &[1, 0]);
    check(&[5, 9000], &[1, 2]);
    check(&[30_000, 3], &[1, 2]);
    check(&[20, 5000], &[1]);
    check(&[3, 70_000], &[2]);
}

#[test]
fn several_reductions_share_a_map() {
    check(&[100, 384], &[1, 2, 3, 0]);
    check(&[6, 20, 30, 8], &[0b0101, 0b1010, 0b1111, 0b0001, 0b1000]);
}

#[test]
fn an_empty_reduction_gives_what_it_starts_from() {
    check(&[5, 0], &[2]);
    check(&[0], &[1]);
    check(&[5, 0, 3], &[2, 6]);
    check(&[0, 5], &[2]);
    check(&[4, 0], &[0]);
}

#[test]
fn a_maximum_keeps_a_nan() {
    let mut x = vec![1f32; 20_000];
    x[777] = f32::NAN;
    let mut case = Case::new(&[2, 10_000]);
    case.input(&x);
    let slot = case.slot(&[0f32; 2]);
    case.reductions.push((1, 0, 2, vec![1, 0], slot, 0));
    for simd in Simd::all() {
        let got = floats(&case.steady(simd)[slot]);
        assert!(got[0].is_nan() && got[1] == 1.0);
    }
}

#[test]
fn a_long_sum_keeps_its_digits() {
    let n = 3_000_000;
    let mut case = Case::new(&[n]);
    case.input(&vec![0.1; n]);
    let slot = case.slot(&[0f32]);
    case.reductions.push((0, 0, 1, vec![0], slot, 0));
    let got = f64::from(floats(&case.steady(Simd::best())[slot])[0]);
    let want = f64::from(0.1f32) * n as f64;
    assert!((got / want - 1.0).abs() < 3e-7, "{got} for {want}");
}
