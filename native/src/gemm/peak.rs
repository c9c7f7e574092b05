//! The most multiply-adds that this machine's registers allow: what a matrix product is measured against.
use super::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use super::sets::{Level, Set};
use crate::team::Team;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Enough sums at once that none waits for its own last step.
const SUMS: usize = 12;
const STEPS: usize = 100_000;

#[inline(always)]
unsafe fn spin<V: Lanes>(factor: f32) -> f32 {
    // SAFETY: the caller has the instruction set of V
    unsafe {
        let x = V::splat(factor);
        let mut sums = [V::zero(); SUMS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = sum.times_plus(x, x);
            }
        }
        let mut all = sums[0];
        for sum in &sums[1..] {
            all = all.times_plus(x, *sum);
        }
        let mut out = [0.0f32; 16];
        all.store(out.as_mut_ptr());
        out[0]
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn spin_avx512(factor: f32) -> f32 {
    // SAFETY: the caller's
    unsafe { spin::<super::lanes::x86::Avx512>(factor) }
}
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn spin_avx2(factor: f32) -> f32 {
    // SAFETY: the caller's
    unsafe { spin::<super::lanes::x86::Avx2>(factor) }
}
unsafe fn spin_plain(factor: f32) -> f32 {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: every aarch64 has NEON
    return unsafe { spin::<super::lanes::arm::Neon>(factor) };
    #[cfg(not(target_arch = "aarch64"))]
    // SAFETY: needs nothing
    return unsafe { spin::<super::lanes::Plain>(factor) };
}

/// The loop in the best instructions there are, and their lanes.
fn best() -> (unsafe fn(f32) -> f32, usize) {
    #[cfg(target_arch = "x86_64")]
    if Set::at(Level::Avx512).is_some() {
        return (spin_avx512, 16);
    } else if Set::at(Level::Avx2).is_some() {
        return (spin_avx2, 8);
    }
    (spin_plain, 4)
}

/// GFLOP/s of `threads` threads at multiply-adds in registers: the best that a tenth of a second shows.
pub fn peak(threads: usize) -> f64 {
    let (spin, lanes) = best();
    let team = Team::new(threads);
    let least = AtomicU64::new(u64::MAX);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(100) {
        let run = team.run(&|worker| {
            worker.barrier();
            let start = Instant::now();
            // SAFETY: the instructions were found on this machine
            std::hint::black_box(unsafe { spin(std::hint::black_box(0.5)) });
            worker.barrier();
            least.fetch_min(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        });
        run.expect("the loop does not panic");
    }
    (2 * lanes * SUMS * STEPS * threads) as f64 / least.into_inner() as f64
}
