//! Which vector instructions this machine has, and a macro that compiles one inner loop for each of them.
use std::sync::OnceLock;

/// Instruction sets that inner loops are compiled for, the least able first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Simd {
    /// What every machine of this architecture has; on aarch64 that is NEON.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Simd {
    /// The most able set that this machine has.
    pub fn best() -> Simd {
        static BEST: OnceLock<Simd> = OnceLock::new();
        *BEST.get_or_init(|| {
            if Simd::avx512() {
                Simd::Avx512
            } else if Simd::avx2() {
                Simd::Avx2
            } else {
                Simd::Portable
            }
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Simd::Avx512 => "AVX-512",
            Simd::Avx2 => "AVX2",
            Simd::Portable if cfg!(target_arch = "aarch64") => "NEON",
            Simd::Portable => "portable",
        }
    }

    /// Every set that this machine has.
    pub fn all() -> impl Iterator<Item = Simd> {
        [Simd::Portable, Simd::Avx2, Simd::Avx512].into_iter().filter(|&s| s <= Simd::best())
    }

    #[cfg(target_arch = "x86_64")]
    fn avx2() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }
    #[cfg(target_arch = "x86_64")]
    fn avx512() -> bool {
        Simd::avx2()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
    }
    #[cfg(not(target_arch = "x86_64"))]
    fn avx2() -> bool {
        false
    }
    #[cfg(not(target_arch = "x86_64"))]
    fn avx512() -> bool {
        false
    }
}

/// Whether the portable set multiplies and adds in one instruction; where it does not, `mul_add` is a call.
pub const PORTABLE_FMA: bool = cfg!(target_arch = "aarch64");

/// `a * b + c`, fused where `FMA` says there is an instruction for it.
#[inline(always)]
pub fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `versions! { fn scale(out: *mut f32, n: usize, by: f32) = scale_body }` makes `scale(simd)`, which gives the instance of
/// `#[inline(always)] unsafe fn scale_body<const FMA: bool>(..)` for an instruction set, as an `unsafe fn` pointer to choose
/// once and call often. Type parameters come before `FMA`: `fn scale<T: Element>(..) = scale_body` calls `scale_body::<T, FMA>`.
/// Calling an instance is sound on a machine that has the set, under the body's own conditions. An output taken as `&mut [T]`
/// is known to overlap no input, so that a plain loop over it vectorises without a check at run time.
macro_rules! versions {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<$($g:ident : $bound:path),+>)? ($($arg:ident : $t:ty),* $(,)?) $(-> $r:ty)? = $body:ident) => {
        $(#[$meta])*
        $vis fn $name $(<$($g: $bound),+>)? (simd: $crate::simd::Simd) -> unsafe fn($($t),*) $(-> $r)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            unsafe fn avx512 $(<$($g: $bound),+>)? ($($arg: $t),*) $(-> $r)? {
                // SAFETY: under the same conditions
                unsafe { $body::<$($($g,)+)? true>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2 $(<$($g: $bound),+>)? ($($arg: $t),*) $(-> $r)? {
                // SAFETY: under the same conditions
                unsafe { $body::<$($($g,)+)? true>($($arg),*) }
            }
            unsafe fn portable $(<$($g: $bound),+>)? ($($arg: $t),*) $(-> $r)? {
                // SAFETY: under the same conditions
                unsafe { $body::<$($($g,)+)? { $crate::simd::PORTABLE_FMA }>($($arg),*) }
            }
            match simd {
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Simd::Avx512 => avx512 $(::<$($g),+>)?,
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Simd::Avx2 => avx2 $(::<$($g),+>)?,
                _ => portable $(::<$($g),+>)?,
            }
        }
    };
}
pub(crate) use versions;

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(always)]
    unsafe fn axpy_body<const FMA: bool>(out: *mut f32, x: *const f32, n: usize, by: f32) {
        for i in 0..n {
            // SAFETY: both hold `n` elements
            unsafe { *out.add(i) = mul_add::<FMA>(*x.add(i), by, *out.add(i)) };
        }
    }
    versions! { fn axpy(out: *mut f32, x: *const f32, n: usize, by: f32) = axpy_body }

    #[test]
    fn every_instruction_set_here_computes_the_same() {
        for simd in Simd::all() {
            let x: Vec<f32> = (0..37).map(|i| i as f32).collect();
            let mut out = vec![1.0f32; 37];
            // SAFETY: both hold 37 elements, and this machine has the set
            unsafe { axpy(simd)(out.as_mut_ptr(), x.as_ptr(), 37, 2.0) };
            assert!(out.iter().enumerate().all(|(i, &v)| v == 2.0 * i as f32 + 1.0));
        }
        assert!(Simd::all().any(|s| s == Simd::best()));
    }
}
