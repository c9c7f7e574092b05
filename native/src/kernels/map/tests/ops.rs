//! Every instruction against what it means, at lengths off the lanes.
use super::*;

const LENGTHS: [usize; 8] = [0, 1, 15, 16, 17, 513, 2000, 20_011];

/// The lanes that an instruction gives for three lists of lanes.
fn given(name: &str, operands: [&[u32]; 3], simd: Simd) -> Vec<u32> {
    let mut case = Case::new(&[operands[0].len()]);
    for lanes in operands {
        let slot = case.slot(lanes);
        case.inputs.push((Dtype::U32, vec![1], slot, 0));
    }
    case.temporaries = 1;
    let c = if name == "uniform" { 0 } else { 2 };
    case.code = vec![[op(name), 3, 0, 1, c]];
    let slot = case.slot(&vec![77u32; operands[0].len()]);
    case.outputs.push((3, Dtype::U32, vec![1], slot, 0));
    case.steady(simd)[slot]
        .chunks_exact(4)
        .take(operands[0].len())
        .map(|b| u32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

type Meaning = fn(f64, f64, f64) -> f64;
/// Instructions on f32, the numbers they are tried on, and how far off they may be.
const REAL: &[(&str, f32, f32, f64, Meaning)] = &[
    ("add", -9.0, 9.0, 1e-7, |a, b, _| a + b),
    ("sub", -9.0, 9.0, 1e-7, |a, b, _| a - b),
    ("mul", -9.0, 9.0, 1e-7, |a, b, _| a * b),
    ("div", -9.0, 9.0, 1e-7, |a, b, _| a / b),
    ("maximum", -9.0, 9.0, 0.0, |a, b, _| a.max(b)),
    ("minimum", -9.0, 9.0, 0.0, |a, b, _| a.min(b)),
    ("muladd", 0.1, 9.0, 2e-7, |a, b, c| a * b + c),
    ("neg", -9.0, 9.0, 0.0, |a, _, _| -a),
    ("exp", -80.0, 80.0, 2e-7, |a, _, _| a.exp()),
    ("log", 1e-9, 1e9, 2e-7, |a, _, _| a.ln()),
    ("sqrt", 0.0, 9.0, 1e-7, |a, _, _| a.sqrt()),
    ("tanh", -5.0, 5.0, 2e-7, |a, _, _| a.tanh()),
    ("sigmoid", -50.0, 50.0, 2e-7, |a, _, _| 1.0 / (1.0 + (-a).exp())),
    ("sin", -1e5, 1e5, 2e-7, |a, _, _| a.sin()),
    ("cos", -1e5, 1e5, 2e-7, |a, _, _| a.cos()),
    ("sin", -1e30, 1e30, 1e-7, |a, _, _| a.sin()),
    ("cos", -1e30, 1e30, 1e-7, |a, _, _| a.cos()),
    ("sign", -1.0, 1.0, 0.0, |a, _, _| a.signum()),
    ("abs", -1.0, 1.0, 0.0, |a, _, _| a.abs()),
    ("relu", -1.0, 1.0, 0.0, |a, _, _| a.max(0.0)),
    ("reciprocal", -9.0, 9.0, 1e-7, |a, _, _| 1.0 / a),
];

#[test]
fn every_instruction_on_f32_is_near_its_value_in_double_precision() {
    let mut numbers = Numbers::new(1);
    for &(name, low, high, bound, meaning) in REAL {
        for (simd, n) in Simd::all().flat_map(|s| LENGTHS.map(|n| (s, n))) {
            let mut list = || (0..n).map(|_| low + (high - low) * (numbers.float() + 1.0) / 2.0).collect::<Vec<f32>>();
            let x = [list(), list(), list()];
            let lanes = x.each_ref().map(|l| l.iter().map(|v| v.to_bits()).collect::<Vec<u32>>());
            let out = given(name, lanes.each_ref().map(Vec::as_slice), simd);
            assert_eq!(out.len(), n);
            for i in 0..n {
                let [a, b, c] = x.each_ref().map(|l| f64::from(l[i]));
                let (got, want) = (f64::from(f32::from_bits(out[i])), meaning(a, b, c));
                assert!(
                    (got - want).abs() <= bound * want.abs(),
                    "{name}({a}, {b}, {c}) = {got}, not {want} ({simd:?})"
                );
            }
        }
    }
}

type Exact = fn(u32, u32, u32) -> u32;
fn real(x: u32) -> f32 {
    f32::from_bits(x)
}
/// Instructions whose every bit is known.
const WHOLE: &[(&str, Exact)] = &[
    ("equal", |a, b, _| (real(a) == real(b)).into()),
    ("less", |a, b, _| (real(a) < real(b)).into()),
    ("lessEqual", |a, b, _| (real(a) <= real(b)).into()),
    ("equalI", |a, b, _| (a == b).into()),
    ("lessI", |a, b, _| ((a as i32) < b as i32).into()),
    ("lessEqualI", |a, b, _| (a as i32 <= b as i32).into()),
    ("lessU", |a, b, _| (a < b).into()),
    ("lessEqualU", |a, b, _| (a <= b).into()),
    ("and", |a, b, _| (a != 0 && b != 0).into()),
    ("or", |a, b, _| (a != 0 || b != 0).into()),
    ("not", |a, _, _| (a == 0).into()),
    ("where", |a, b, c| if a != 0 { b } else { c }),
    ("addI", |a, b, _| a.wrapping_add(b)),
    ("subI", |a, b, _| a.wrapping_sub(b)),
    ("mulI", |a, b, _| a.wrapping_mul(b)),
    ("divI", |a, b, _| if b == 0 { 0 } else { (a as i32).wrapping_div(b as i32) as u32 }),
    ("negI", |a, _, _| 0u32.wrapping_sub(a)),
    ("absI", |a, _, _| (a as i32).unsigned_abs()),
    ("signI", |a, _, _| (a as i32).signum() as u32),
    ("maximumI", |a, b, _| (a as i32).max(b as i32) as u32),
    ("minimumI", |a, b, _| (a as i32).min(b as i32) as u32),
    ("maximumU", |a, b, _| a.max(b)),
    ("minimumU", |a, b, _| a.min(b)),
    ("f32ToI", |a, _, _| real(a) as i32 as u32),
    ("f32ToU", |a, _, _| real(a) as u32),
    ("iToF", |a, _, _| (a as i32 as f32).to_bits()),
    ("uToF", |a, _, _| (a as f32).to_bits()),
    ("toBool", |a, _, _| (real(a) != 0.0).into()),
    ("iToBool", |a, _, _| (a != 0).into()),
    ("boolToF", |a, _, _| f32::from(u8::from(a != 0)).to_bits()),
    ("copy", |a, _, _| a),
];

#[test]
fn every_other_instruction_gives_its_exact_bits() {
    let mut numbers = Numbers::new(2);
    let special =
        [0, 1, 2, u32::MAX, 1 << 31, 0x7fff_ffff, 0x3f80_0000, 0xbfa0_0000, 0x4f80_0001, 0xff80_0000, 0x7fc0_0000];
    for &(name, meaning) in WHOLE {
        for (simd, n) in Simd::all().flat_map(|s| LENGTHS.map(|n| (s, n))) {
            let mut list = || {
                let mut one = || match numbers.below(3) {
                    0 => special[numbers.below(special.len())],
                    1 => numbers.below(4) as u32,
                    // no denormals: they count as zero
                    _ => numbers.next() | 0x0080_0000,
                };
                (0..n).map(|_| one()).collect::<Vec<u32>>()
            };
            let x = [list(), list(), list()];
            let out = given(name, x.each_ref().map(Vec::as_slice), simd);
            for i in 0..n {
                let [a, b, c] = x.each_ref().map(|l| l[i]);
                if name.starts_with("equal") || name.starts_with("less") || name == "toBool" {
                    let denormal = |x: u32| x & 0x7f80_0000 == 0 && x & 0x7f_ffff != 0;
                    if !name.ends_with(['I', 'U']) && (denormal(a) || denormal(b)) {
                        continue;
                    }
                }
                assert_eq!(out[i], meaning(a, b, c), "{name}({a:#x}, {b:#x}, {c:#x}) ({simd:?})");
            }
        }
    }
}

#[test]
fn every_instruction_has_its_test() {
    let tested = REAL.iter().map(|t| t.0).chain(WHOLE.iter().map(|t| t.0)).chain(["erf", "uniform"]);
    let mut tested: Vec<&str> = tested.collect();
    tested.sort_unstable();
    tested.dedup();
    let mut all = OPS.to_vec();
    all.sort_unstable();
    assert_eq!(tested, all);
}

#[test]
fn erf_is_near_known_values() {
    // values of A&S table 7.1
    let known = [(0.5f32, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0), (-0.1, -0.112_462_916_0)];
    let lanes: Vec<u32> = known.iter().map(|k| k.0.to_bits()).collect();
    for simd in Simd::all() {
        for (lane, (x, want)) in given("erf", [&lanes; 3], simd).into_iter().zip(known) {
            assert!((f64::from(real(lane)) / want - 1.0).abs() < 2e-7, "erf({x}) = {}", real(lane));
        }
    }
}

#[test]
fn a_nan_passes_through_minima_and_maxima() {
    let (nan, one) = (f32::NAN.to_bits(), 1f32.to_bits());
    for name in ["maximum", "minimum"] {
        assert!(given(name, [&[nan, one], &[one, nan], &[0, 0]], Simd::best()).iter().all(|&x| real(x).is_nan()));
    }
    assert!(real(given("relu", [&[nan], &[0], &[0]], Simd::best())[0]).is_nan());
}
