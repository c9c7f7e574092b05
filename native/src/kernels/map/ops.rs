//! The instructions of a map: what each does to a lane of 32 bits, and the loop over a block for each instruction set.
use crate::math;
use crate::simd::{Simd, mul_add, versions};

/// An instruction over a block: `dst` overlaps no operand, and an operand has as many lanes as `dst`, or one for all of them.
pub type Run = unsafe fn(dst: &mut [u32], a: *const u32, b: *const u32, c: *const u32);

/// What a register holds, as a type.
trait Bits: Copy {
    fn from_lane(lane: u32) -> Self;
    fn lane(self) -> u32;
}
impl Bits for f32 {
    #[inline(always)]
    fn from_lane(lane: u32) -> f32 {
        f32::from_bits(lane)
    }
    #[inline(always)]
    fn lane(self) -> u32 {
        self.to_bits()
    }
}
impl Bits for i32 {
    #[inline(always)]
    fn from_lane(lane: u32) -> i32 {
        lane as i32
    }
    #[inline(always)]
    fn lane(self) -> u32 {
        self as u32
    }
}
impl Bits for u32 {
    #[inline(always)]
    fn from_lane(lane: u32) -> u32 {
        lane
    }
    #[inline(always)]
    fn lane(self) -> u32 {
        self
    }
}
impl Bits for bool {
    #[inline(always)]
    fn from_lane(lane: u32) -> bool {
        lane != 0
    }
    #[inline(always)]
    fn lane(self) -> u32 {
        u32::from(self)
    }
}

trait Lane {
    const OPERANDS: usize;
    /// Whether it also makes a block of one lane.
    const SPREADS: bool;
    fn lane<const FMA: bool>(a: u32, b: u32, c: u32) -> u32;
    /// Mends what the loop over lanes cannot do; `a` has as many lanes as `dst`.
    #[inline(always)]
    unsafe fn mend(_dst: &mut [u32], _a: *const u32) {}
}

/// Which operands are one lane for the whole block: bit k for operand k.
trait Single {
    const MASK: usize;
}
macro_rules! singles {
    ($($name:ident $mask:literal)*) => { $(
        enum $name {}
        impl Single for $name {
            const MASK: usize = $mask;
        }
    )* };
}
singles! { None 0 A 1 B 2 AB 3 C 4 AC 5 BC 6 }

#[inline(always)]
unsafe fn body<L: Lane, S: Single, const FMA: bool>(dst: &mut [u32], a: *const u32, b: *const u32, c: *const u32) {
    let n = dst.len();
    for i in 0..n {
        let at = |operand: usize| if S::MASK >> operand & 1 == 1 { 0 } else { i };
        // SAFETY: every operand that the instruction has is as long as `dst`, or is read at its first lane only
        unsafe {
            let x = *a.add(at(0));
            let y = if L::OPERANDS > 1 { *b.add(at(1)) } else { 0 };
            let z = if L::OPERANDS > 2 { *c.add(at(2)) } else { 0 };
            *dst.get_unchecked_mut(i) = L::lane::<FMA>(x, y, z);
        }
    }
    if S::MASK == 0 {
        // SAFETY: as above
        unsafe { L::mend(dst, a) };
    }
}
versions! { fn instance<L: Lane, S: Single>(dst: &mut [u32], a: *const u32, b: *const u32, c: *const u32) = body }

/// The loop for an instruction of which the operands in `mask` are one lane; not all of them, but for a copy.
fn choose<L: Lane>(simd: Simd, mask: usize) -> Run {
    let two = L::OPERANDS == 2 || L::OPERANDS == 3;
    let three = L::OPERANDS == 3;
    match mask {
        1 if two || L::SPREADS => instance::<L, A>(simd),
        2 if two => instance::<L, B>(simd),
        3 if three => instance::<L, AB>(simd),
        4 if three => instance::<L, C>(simd),
        5 if three => instance::<L, AC>(simd),
        6 if three => instance::<L, BC>(simd),
        _ => instance::<L, None>(simd),
    }
}

/// `f` in double precision where an argument is beyond the reach of the vector loop.
#[inline(always)]
unsafe fn mend_turns(dst: &mut [u32], a: *const u32, f: fn(f64) -> f64) {
    // SAFETY: `a` is as long as `dst`
    let x = unsafe { std::slice::from_raw_parts(a.cast::<f32>(), dst.len()) };
    if x.iter().fold(false, |far, v| far | (v.abs() > math::TURNS)) {
        for (out, &v) in dst.iter_mut().zip(x) {
            if v.abs() > math::TURNS {
                *out = (f(f64::from(v)) as f32).to_bits();
            }
        }
    }
}

/// A 32-bit mixer of low bias (C. Wellons, "Prospecting for hash functions", 2018).
#[inline(always)]
pub fn mix(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}
/// `a as i32`, in a way that vectorises.
#[inline(always)]
fn to_whole(a: f32) -> i32 {
    let inside = if a > -2_147_483_648.0 { a } else { -2_147_483_648.0 };
    let inside = if inside < 2_147_483_520.0 { inside } else { 2_147_483_520.0 };
    // SAFETY: between the least i32 and the largest f32 below 2³¹, and not NaN
    let whole = unsafe { inside.to_int_unchecked::<i32>() };
    let whole = if a >= 2_147_483_648.0 { i32::MAX } else { whole };
    if a.is_nan() { 0 } else { whole }
}
/// `a as u32`, in a way that vectorises.
#[inline(always)]
fn to_natural(a: f32) -> u32 {
    let upper = a >= 2_147_483_648.0;
    let part = to_whole(if upper { a - 2_147_483_648.0 } else { a });
    let whole = if upper { (part as u32) | 1 << 31 } else { part.max(0) as u32 };
    if a >= 4_294_967_296.0 { u32::MAX } else { whole }
}
const GOLDEN: u32 = 0x9e37_79b9;

/// What a plan's instruction number stands for.
pub struct Op {
    pub operands: usize,
    /// The loop, by the operands that are one lane.
    pub run: fn(Simd, usize) -> Run,
}

macro_rules! ops {
    ($($name:literal $lane:ident ($($x:ident: $t:ty),+) -> $r:ty { $value:expr } $(mend $mend:expr)?)*) => {
        /// The names of a map's instructions: a plan writes an instruction by its place here.
        pub const OPS: &[&str] = &[$($name),*];
        pub const TABLE: &[Op] = &[$(Op { operands: ops!(@count $($x)+), run: choose::<$lane> }),*];
        $(
            enum $lane {}
            impl Lane for $lane {
                const OPERANDS: usize = ops!(@count $($x)+);
                const SPREADS: bool = matches!($name.as_bytes(), b"copy");
                #[inline(always)]
                fn lane<const FMA: bool>(a: u32, b: u32, c: u32) -> u32 {
                    let lanes = [a, b, c];
                    ops!(@bind lanes 0 $($x: $t),+);
                    let value: $r = $value;
                    value.lane()
                }
                $(#[inline(always)]
                unsafe fn mend(dst: &mut [u32], a: *const u32) {
                    // SAFETY: as the caller promises
                    unsafe { mend_turns(dst, a, $mend) }
                })?
            }
        )*
    };
    (@count $a:ident) => { 1 };
    (@count $a:ident $b:ident) => { 2 };
    (@count $a:ident $b:ident $c:ident) => { 3 };
    (@bind $lanes:ident 0 $a:ident: $t:ty) => { let $a = <$t>::from_lane($lanes[0]); };
    (@bind $lanes:ident 0 $a:ident: $t:ty, $b:ident: $u:ty) => {
        let ($a, $b) = (<$t>::from_lane($lanes[0]), <$u>::from_lane($lanes[1]));
    };
    (@bind $lanes:ident 0 $a:ident: $t:ty, $b:ident: $u:ty, $c:ident: $v:ty) => {
        let ($a, $b, $c) = (<$t>::from_lane($lanes[0]), <$u>::from_lane($lanes[1]), <$v>::from_lane($lanes[2]));
    };
}

ops! {
    "add" Add (a: f32, b: f32) -> f32 { a + b }
    "sub" Sub (a: f32, b: f32) -> f32 { a - b }
    "mul" Mul (a: f32, b: f32) -> f32 { a * b }
    "div" Div (a: f32, b: f32) -> f32 { a / b }
    "maximum" Maximum (a: f32, b: f32) -> f32 { if a > b || a.is_nan() { a } else { b } }
    "minimum" Minimum (a: f32, b: f32) -> f32 { if a < b || a.is_nan() { a } else { b } }
    "muladd" MulAdd (a: f32, b: f32, c: f32) -> f32 { mul_add::<FMA>(a, b, c) }
    "neg" Neg (a: f32) -> f32 { -a }
    "exp" Exp (a: f32) -> f32 { math::exp::<FMA>(a) }
    "log" Log (a: f32) -> f32 { math::log::<FMA>(a) }
    "sqrt" Sqrt (a: f32) -> f32 { a.sqrt() }
    "tanh" Tanh (a: f32) -> f32 { math::tanh::<FMA>(a) }
    "sigmoid" Sigmoid (a: f32) -> f32 { math::sigmoid::<FMA>(a) }
    "erf" Erf (a: f32) -> f32 { math::erf::<FMA>(a) }
    "sin" Sin (a: f32) -> f32 { math::sin::<FMA>(a) } mend f64::sin
    "cos" Cos (a: f32) -> f32 { math::cos::<FMA>(a) } mend f64::cos
    "sign" Sign (a: f32) -> f32 { if a > 0.0 { 1.0 } else if a < 0.0 { -1.0 } else { a } }
    "abs" Abs (a: f32) -> f32 { a.abs() }
    "relu" Relu (a: f32) -> f32 { if a < 0.0 { 0.0 } else { a } }
    "reciprocal" Reciprocal (a: f32) -> f32 { 1.0 / a }
    "equal" Equal (a: f32, b: f32) -> bool { a == b }
    "less" Less (a: f32, b: f32) -> bool { a < b }
    "lessEqual" LessEqual (a: f32, b: f32) -> bool { a <= b }
    "equalI" EqualI (a: i32, b: i32) -> bool { a == b }
    "lessI" LessI (a: i32, b: i32) -> bool { a < b }
    "lessEqualI" LessEqualI (a: i32, b: i32) -> bool { a <= b }
    "lessU" LessU (a: u32, b: u32) -> bool { a < b }
    "lessEqualU" LessEqualU (a: u32, b: u32) -> bool { a <= b }
    "and" And (a: bool, b: bool) -> bool { a & b }
    "or" Or (a: bool, b: bool) -> bool { a | b }
    "not" Not (a: bool) -> bool { !a }
    "where" Where (a: bool, b: u32, c: u32) -> u32 { if a { b } else { c } }
    "addI" AddI (a: i32, b: i32) -> i32 { a.wrapping_add(b) }
    "subI" SubI (a: i32, b: i32) -> i32 { a.wrapping_sub(b) }
    "mulI" MulI (a: i32, b: i32) -> i32 { a.wrapping_mul(b) }
    "divI" DivI (a: i32, b: i32) -> i32 { if b == 0 { 0 } else { a.wrapping_div(b) } }
    "negI" NegI (a: i32) -> i32 { a.wrapping_neg() }
    "absI" AbsI (a: i32) -> i32 { a.wrapping_abs() }
    "signI" SignI (a: i32) -> i32 { i32::from(a > 0) - i32::from(a < 0) }
    "maximumI" MaximumI (a: i32, b: i32) -> i32 { a.max(b) }
    "minimumI" MinimumI (a: i32, b: i32) -> i32 { a.min(b) }
    "maximumU" MaximumU (a: u32, b: u32) -> u32 { a.max(b) }
    "minimumU" MinimumU (a: u32, b: u32) -> u32 { a.min(b) }
    "f32ToI" F32ToI (a: f32) -> i32 { to_whole(a) }
    "f32ToU" F32ToU (a: f32) -> u32 { to_natural(a) }
    "iToF" IToF (a: i32) -> f32 { a as f32 }
    "uToF" UToF (a: u32) -> f32 { a as f32 }
    "toBool" ToBool (a: f32) -> bool { a != 0.0 }
    "iToBool" IToBool (a: i32) -> bool { a != 0 }
    "boolToF" BoolToF (a: bool) -> f32 { if a { 1.0 } else { 0.0 } }
    "copy" Copy32 (a: u32) -> u32 { a }
    "uniform" Uniform (seed: u32, stream: u32, i: u32) -> f32 {
        (mix(i.wrapping_mul(GOLDEN).wrapping_add(mix(seed ^ stream))) >> 8) as f32 * (1.0 / 16_777_216.0)
    }
}

/// The instruction whose last operand is not written in the plan: it is the number of the element.
pub fn counts(op: usize) -> bool {
    op == OPS.len() - 1
}
pub const COPY: usize = OPS.len() - 2;
