//! Vectors of single-precision lanes: what the matrix product asks of an instruction set.

/// Lanes in one register. Every method needs the instruction set that its type names.
pub trait Lanes: Copy {
    const COUNT: usize;
    unsafe fn zero() -> Self;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(p: *const f32) -> Self;
    unsafe fn store(self, p: *mut f32);
    /// The first `n` lanes (fewer than all); the others are zero.
    unsafe fn load_some(p: *const f32, n: usize) -> Self;
    unsafe fn store_some(self, p: *mut f32, n: usize);
    /// `self * x + y`.
    unsafe fn times_plus(self, x: Self, y: Self) -> Self;
    unsafe fn times(self, x: Self) -> Self;
    /// The sum of all lanes, by halves.
    unsafe fn total(self) -> f32;
    /// Lines in the square that `turn` turns.
    const SQUARE: usize;
    /// `out[k * width + i] = from[i * line + k]` in a square; of `lines` there are, the last stands for any that are missing.
    unsafe fn turn(from: *const f32, line: usize, lines: usize, out: *mut f32, width: usize);
    /// Brings the line of `p` near; any address will do.
    unsafe fn fetch(p: *const f32);
}

/// Brings the line of `p` into the second cache, where the processor has a way to ask for it.
#[inline(always)]
pub fn fetch(p: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address is harmless
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(p.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = p;
}

/// Where there is no better: the compiler does with it what it can.
#[derive(Clone, Copy)]
pub struct Plain([f32; 4]);

impl Lanes for Plain {
    const COUNT: usize = 4;
    #[inline(always)]
    unsafe fn zero() -> Self {
        Plain([0.0; 4])
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Plain([x; 4])
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller's, four floats at any alignment
        Plain(unsafe { p.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: as above
        unsafe { p.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn load_some(p: *const f32, n: usize) -> Self {
        // SAFETY: the caller's, `n` floats
        Plain(std::array::from_fn(|i| if i < n { unsafe { *p.add(i) } } else { 0.0 }))
    }
    #[inline(always)]
    unsafe fn store_some(self, p: *mut f32, n: usize) {
        for (i, &x) in self.0.iter().enumerate().take(n) {
            // SAFETY: as above
            unsafe { *p.add(i) = x };
        }
    }
    #[inline(always)]
    unsafe fn times_plus(self, x: Self, y: Self) -> Self {
        Plain(std::array::from_fn(|i| self.0[i] * x.0[i] + y.0[i]))
    }
    #[inline(always)]
    unsafe fn times(self, x: Self) -> Self {
        Plain(std::array::from_fn(|i| self.0[i] * x.0[i]))
    }
    #[inline(always)]
    unsafe fn total(self) -> f32 {
        let [a, b, c, d] = self.0;
        (a + c) + (b + d)
    }
    const SQUARE: usize = 4;
    #[inline(always)]
    unsafe fn turn(from: *const f32, line: usize, lines: usize, out: *mut f32, width: usize) {
        // SAFETY: the caller's
        unsafe { super::pack::turn_four(from, line, lines, out, width) }
    }
    #[inline(always)]
    unsafe fn fetch(_: *const f32) {}
}

#[cfg(target_arch = "x86_64")]
pub mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    #[inline(always)]
    unsafe fn fetch(p: *const f32) {
        // SAFETY: a prefetch of any address is harmless
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
    }

    #[derive(Clone, Copy)]
    pub struct Avx512(__m512);
    // SAFETY (of every method): the caller has AVX-512 F, and addresses as the trait says
    impl Lanes for Avx512 {
        const COUNT: usize = 16;
        #[inline(always)]
        unsafe fn zero() -> Self {
            Avx512(unsafe { _mm512_setzero_ps() })
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Avx512(unsafe { _mm512_set1_ps(x) })
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            Avx512(unsafe { _mm512_loadu_ps(p) })
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm512_storeu_ps(p, self.0) }
        }
        #[inline(always)]
        unsafe fn load_some(p: *const f32, n: usize) -> Self {
            Avx512(unsafe { _mm512_maskz_loadu_ps((1 << n) - 1, p) })
        }
        #[inline(always)]
        unsafe fn store_some(self, p: *mut f32, n: usize) {
            unsafe { _mm512_mask_storeu_ps(p, (1 << n) - 1, self.0) }
        }
        #[inline(always)]
        unsafe fn times_plus(self, x: Self, y: Self) -> Self {
            Avx512(unsafe { _mm512_fmadd_ps(self.0, x.0, y.0) })
        }
        #[inline(always)]
        unsafe fn times(self, x: Self) -> Self {
            Avx512(unsafe { _mm512_mul_ps(self.0, x.0) })
        }
        #[inline(always)]
        unsafe fn total(self) -> f32 {
            unsafe { _mm512_reduce_add_ps(self.0) }
        }
        const SQUARE: usize = 8;
        #[inline(always)]
        unsafe fn turn(from: *const f32, line: usize, lines: usize, out: *mut f32, width: usize) {
            // SAFETY: the caller's
            unsafe { super::super::pack::x86::turn_eight(from, line, lines, out, width) }
        }
        #[inline(always)]
        unsafe fn fetch(p: *const f32) {
            unsafe { fetch(p) }
        }
    }

    /// Eight lanes on, then eight off: a mask of the first `n` begins `8 - n` in.
    static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    #[inline(always)]
    unsafe fn mask(n: usize) -> __m256i {
        unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - n).cast()) }
    }

    #[derive(Clone, Copy)]
    pub struct Avx2(__m256);
    // SAFETY (of every method): the caller has AVX2 and FMA, and addresses as the trait says
    impl Lanes for Avx2 {
        const COUNT: usize = 8;
        #[inline(always)]
        unsafe fn zero() -> Self {
            Avx2(unsafe { _mm256_setzero_ps() })
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Avx2(unsafe { _mm256_set1_ps(x) })
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            Avx2(unsafe { _mm256_loadu_ps(p) })
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm256_storeu_ps(p, self.0) }
        }
        #[inline(always)]
        unsafe fn load_some(p: *const f32, n: usize) -> Self {
            Avx2(unsafe { _mm256_maskload_ps(p, mask(n)) })
        }
        #[inline(always)]
        unsafe fn store_some(self, p: *mut f32, n: usize) {
            unsafe { _mm256_maskstore_ps(p, mask(n), self.0) }
        }
        #[inline(always)]
        unsafe fn times_plus(self, x: Self, y: Self) -> Self {
            Avx2(unsafe { _mm256_fmadd_ps(self.0, x.0, y.0) })
        }
        #[inline(always)]
        unsafe fn times(self, x: Self) -> Self {
            Avx2(unsafe { _mm256_mul_ps(self.0, x.0) })
        }
        #[inline(always)]
        unsafe fn total(self) -> f32 {
            unsafe {
                let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
            }
        }
        const SQUARE: usize = 8;
        #[inline(always)]
        unsafe fn turn(from: *const f32, line: usize, lines: usize, out: *mut f32, width: usize) {
            // SAFETY: the caller's
            unsafe { super::super::pack::x86::turn_eight(from, line, lines, out, width) }
        }
        #[inline(always)]
        unsafe fn fetch(p: *const f32) {
            unsafe { fetch(p) }
        }
    }
}

#[cfg(target_arch = "aarch64")]
pub mod arm {
    use super::Lanes;
    use std::arch::aarch64::*;

    #[derive(Clone, Copy)]
    pub struct Neon(float32x4_t);
    // SAFETY (of every method): every aarch64 has NEON; addresses as the trait says
    impl Lanes for Neon {
        const COUNT: usize = 4;
        #[inline(always)]
        unsafe fn zero() -> Self {
            Neon(unsafe { vdupq_n_f32(0.0) })
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Neon(unsafe { vdupq_n_f32(x) })
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            Neon(unsafe { vld1q_f32(p) })
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { vst1q_f32(p, self.0) }
        }
        #[inline(always)]
        unsafe fn load_some(p: *const f32, n: usize) -> Self {
            let some: [f32; 4] = std::array::from_fn(|i| if i < n { unsafe { *p.add(i) } } else { 0.0 });
            Neon(unsafe { vld1q_f32(some.as_ptr()) })
        }
        #[inline(always)]
        unsafe fn store_some(self, p: *mut f32, n: usize) {
            let mut all = [0.0f32; 4];
            unsafe { vst1q_f32(all.as_mut_ptr(), self.0) };
            for (i, &x) in all.iter().enumerate().take(n) {
                unsafe { *p.add(i) = x };
            }
        }
        #[inline(always)]
        unsafe fn times_plus(self, x: Self, y: Self) -> Self {
            Neon(unsafe { vfmaq_f32(y.0, self.0, x.0) })
        }
        #[inline(always)]
        unsafe fn times(self, x: Self) -> Self {
            Neon(unsafe { vmulq_f32(self.0, x.0) })
        }
        #[inline(always)]
        unsafe fn total(self) -> f32 {
            unsafe { vaddvq_f32(self.0) }
        }
        const SQUARE: usize = 4;
        #[inline(always)]
        unsafe fn turn(from: *const f32, line: usize, lines: usize, out: *mut f32, width: usize) {
            // SAFETY: the caller's
            unsafe { super::super::pack::turn_four(from, line, lines, out, width) }
        }
        #[inline(always)]
        unsafe fn fetch(_: *const f32) {}
    }
}
