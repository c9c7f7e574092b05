//! Elementary functions of one lane: no branches, so that a loop over them becomes vector instructions.
//! Numbers below the smallest normal one count as zero, as they do while a plan runs.
use crate::simd::mul_add;

/// 1.5 · 2²³: added to a small number it leaves the nearest whole number in the low bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts, of which the first has few bits: a multiple of it is exact.
const LN2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);

/// Horner's rule, the highest power first.
#[inline(always)]
fn polynomial<const FMA: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for &c in &coefficients[1..] {
        sum = mul_add::<FMA>(sum, x, c);
    }
    sum
}

/// 2ⁿ for n from -126 to 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// (n, eʳ − 1) with x = n ln 2 + r and |r| ≤ ln 2 / 2, for |x| ≤ 104; the polynomial is from Cephes (Moshier 1989).
#[inline(always)]
fn reduced_exp<const FMA: bool>(x: f32) -> (i32, f32) {
    let shifted = mul_add::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let r = mul_add::<FMA>(whole, -LN2.1, mul_add::<FMA>(whole, -LN2.0, x));
    let p =
        polynomial::<FMA, 6>(r, [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1]);
    (shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32, mul_add::<FMA>(p, r * r, r))
}

#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    // comparisons this way round let NaN pass
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let (n, p) = reduced_exp::<FMA>(x);
    // two steps: 2ⁿ alone may be beyond the largest number where the product is not
    (p + 1.0) * power_of_two(n >> 1) * power_of_two(n - (n >> 1))
}

/// The natural logarithm; the polynomial is from Cephes (Moshier 1989).
#[inline(always)]
pub fn log<const FMA: bool>(x: f32) -> f32 {
    // x = 2ᵉ m with m from √½ to √2
    let shifted = x.to_bits().wrapping_sub(0x3f35_04f3) as i32;
    let e = (shifted >> 23) as f32;
    let m = f32::from_bits(x.to_bits().wrapping_sub((shifted & !0x7f_ffff) as u32)) - 1.0;
    let p = polynomial::<FMA, 9>(
        m,
        [
            7.037_684e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_8e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let square = m * m;
    let tail = mul_add::<FMA>(e, LN2.1, p * m * square);
    let y = mul_add::<FMA>(e, LN2.0, m + mul_add::<FMA>(square, -0.5, tail));
    let y = if x < f32::MIN_POSITIVE { f32::NEG_INFINITY } else { y };
    let y = if x > f32::MAX { f32::INFINITY } else { y };
    // a number below zero, or none
    if x >= 0.0 || x.abs() < f32::MIN_POSITIVE { y } else { f32::NAN }
}

/// By eˣ − 1, which is exact near zero.
#[inline(always)]
pub fn tanh<const FMA: bool>(x: f32) -> f32 {
    let a = x.abs();
    let a = if a > 12.0 { 12.0 } else { a };
    let (n, p) = reduced_exp::<FMA>(-2.0 * a);
    let scale = power_of_two(n);
    let t = mul_add::<FMA>(scale, p, scale - 1.0);
    (-t / (t + 2.0)).copysign(x)
}

#[inline(always)]
pub fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

/// The error function: a polynomial near zero, 1 − exp of one further out (N. Juffa's coefficients).
#[inline(always)]
pub fn erf<const FMA: bool>(x: f32) -> f32 {
    let a = x.abs();
    let near = polynomial::<FMA, 6>(
        x * x,
        [-5.967_617e-4, 4.991_194e-3, -2.676_813_5e-2, 1.128_199_25e-1, -3.761_253_4e-1, 1.283_791_7e-1],
    );
    let near = mul_add::<FMA>(near, x, x);
    let far = if a > 4.0 { 4.0 } else { a };
    let p = polynomial::<FMA, 6>(
        far,
        [-1.728_534_7e-5, 3.831_971_3e-4, -3.883_964_4e-3, 2.425_462_2e-2, -1.067_778_8e-1, -6.348_467e-1],
    );
    let p = mul_add::<FMA>(p, far, -1.287_175_1e-1);
    let far = 1.0 - exp::<FMA>(mul_add::<FMA>(p, far, -far));
    // a NaN is not above the bound, and comes out of the near branch
    if a > 0.927_734_4 { far.copysign(x) } else { near }
}

/// Beyond this the quarter turns of `sin` and `cos` are no longer exact.
pub const TURNS: f32 = 1e6;

#[inline(always)]
fn sine<const FMA: bool>(x: f32, quarter: i32) -> f32 {
    // in double precision, π/2 in two parts of which the first has 33 bits: x near a multiple of it keeps its digits
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let x = f64::from(x);
    let shifted = x * std::f64::consts::FRAC_2_PI + ROUND;
    let whole = shifted - ROUND;
    let r = ((x - whole * 1.570_796_326_734_125_6) - whole * 6.077_100_506_506_192e-11) as f32;
    let quarter = (shifted.to_bits() as i32).wrapping_add(quarter);
    let square = r * r;
    let odd = polynomial::<FMA, 3>(square, [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1]);
    let odd = mul_add::<FMA>(odd * square, r, r);
    let even = polynomial::<FMA, 3>(square, [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2]);
    let even = mul_add::<FMA>(even * square, square, mul_add::<FMA>(square, -0.5, 1.0));
    let y = if quarter & 1 == 0 { odd } else { even };
    f32::from_bits(y.to_bits() ^ ((quarter as u32 & 2) << 30))
}
/// For |x| ≤ `TURNS`.
#[inline(always)]
pub fn sin<const FMA: bool>(x: f32) -> f32 {
    sine::<FMA>(x, 0)
}
/// For |x| ≤ `TURNS`.
#[inline(always)]
pub fn cos<const FMA: bool>(x: f32) -> f32 {
    sine::<FMA>(x, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// erf in double precision: a series near zero, a continued fraction in the tails.
    fn exact_erf(x: f64) -> f64 {
        let a = x.abs();
        if a > 6.0 {
            return x.signum();
        }
        let scale = 2.0 / std::f64::consts::PI.sqrt();
        if a < 2.5 {
            let (mut term, mut sum, mut n) = (a, a, 1.0);
            while term > 1e-18 * sum {
                term *= 2.0 * a * a / (2.0 * n + 1.0);
                sum += term;
                n += 1.0;
            }
            return x.signum() * sum * scale * (-a * a).exp();
        }
        let fraction = (1..=60).rev().fold(a, |f, k| a + f64::from(k) / 2.0 / f);
        x.signum() * (1.0 - (-a * a).exp() / fraction * scale / 2.0)
    }

    /// The largest error relative to the exact value, over `count` numbers of either sign between two magnitudes.
    fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, low: f32, high: f32, signs: &[f32]) -> f64 {
        let (from, to) = (low.ln(), high.ln());
        let mut worst = 0.0f64;
        for i in 0..=200_000 {
            for &sign in signs {
                let x = sign * (from + (to - from) * i as f32 / 200_000.0).exp();
                let want = exact(f64::from(x));
                if want.abs() < f64::from(f32::MIN_POSITIVE) || want.abs() > f64::from(f32::MAX) {
                    continue;
                }
                worst = worst.max(((f64::from(f(x)) - want) / want).abs());
            }
        }
        worst
    }

    fn check<const FMA: bool>() {
        let both = [1.0f32, -1.0];
        let sigmoid64 = |x: f64| 1.0 / (1.0 + (-x).exp());
        let errors = [
            ("exp", worst(exp::<FMA>, f64::exp, 1e-20, 88.7, &both), 2e-7),
            ("log", worst(log::<FMA>, f64::ln, 1e-37, 3e38, &[1.0]), 2e-7),
            ("log near 1", worst(log::<FMA>, f64::ln, 0.5, 2.0, &[1.0]), 2e-7),
            ("tanh", worst(tanh::<FMA>, f64::tanh, 1e-30, 20.0, &both), 2e-7),
            ("sigmoid", worst(sigmoid::<FMA>, sigmoid64, 1e-20, 87.0, &both), 2e-7),
            ("erf", worst(erf::<FMA>, exact_erf, 1e-30, 8.0, &both), 2e-7),
            ("sin", worst(sin::<FMA>, f64::sin, 1e-20, 1e5, &both), 2e-7),
            ("cos", worst(cos::<FMA>, f64::cos, 1e-20, 1e5, &both), 2e-7),
        ];
        for (name, error, bound) in errors {
            assert!(error <= bound, "{name}: {error:e}");
        }
    }

    #[test]
    fn every_function_is_near_its_value_in_double_precision() {
        check::<false>();
        check::<true>();
    }

    #[test]
    fn infinities_and_nan_and_zero_have_their_limits() {
        let inf = f32::INFINITY;
        assert_eq!([exp::<false>(inf), exp::<false>(-inf), exp::<false>(0.0), exp::<false>(1e9)], [inf, 0.0, 1.0, inf]);
        assert_eq!(
            [log::<false>(inf), log::<false>(0.0), log::<false>(-0.0), log::<false>(1.0)],
            [inf, -inf, -inf, 0.0]
        );
        assert!(log::<false>(-1.0).is_nan() && log::<false>(-inf).is_nan());
        assert_eq!([tanh::<false>(inf), tanh::<false>(-inf), tanh::<false>(0.0)], [1.0, -1.0, 0.0]);
        assert_eq!([sigmoid::<false>(inf), sigmoid::<false>(-inf), sigmoid::<false>(0.0)], [1.0, 0.0, 0.5]);
        assert_eq!([erf::<false>(inf), erf::<false>(-1e30), erf::<false>(0.0)], [1.0, -1.0, 0.0]);
        assert_eq!([sin::<false>(0.0), cos::<false>(0.0)], [0.0, 1.0]);
        for f in [exp::<false>, log::<false>, tanh::<false>, sigmoid::<false>, erf::<false>, sin::<false>, cos::<false>]
        {
            assert!(f(f32::NAN).is_nan());
        }
    }
}
