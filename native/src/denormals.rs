//! Denormal numbers as zero while a plan runs: a vanishing gradient in them is tens of times slower and no more exact.

/// Denormals count as zero on this thread until it is dropped.
pub struct Flush(#[allow(dead_code)] u64);

#[cfg(target_arch = "x86_64")]
mod word {
    use std::arch::asm;
    pub fn get() -> u64 {
        let mut word = 0u32;
        // SAFETY: stores the control word of the vector unit where it is told
        unsafe { asm!("stmxcsr [{}]", in(reg) &mut word, options(nostack)) };
        u64::from(word)
    }
    pub fn set(value: u64) {
        let word = value as u32;
        // SAFETY: the bits come from `get`, or add only flush-to-zero and denormals-are-zero
        unsafe { asm!("ldmxcsr [{}]", in(reg) &word, options(nostack, readonly)) };
    }
    pub const ZERO: u64 = 0x8040;
}

#[cfg(target_arch = "aarch64")]
mod word {
    use std::arch::asm;
    pub fn get() -> u64 {
        let word: u64;
        // SAFETY: reads the control register of the floating-point unit
        unsafe { asm!("mrs {}, fpcr", out(reg) word, options(nostack, nomem)) };
        word
    }
    pub fn set(value: u64) {
        // SAFETY: the bits come from `get`, or add only flush-to-zero
        unsafe { asm!("msr fpcr, {}", in(reg) value, options(nostack, nomem)) };
    }
    pub const ZERO: u64 = 1 << 24;
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod word {
    pub fn get() -> u64 {
        0
    }
    pub fn set(_: u64) {}
    pub const ZERO: u64 = 0;
}

impl Flush {
    pub fn on() -> Flush {
        let before = word::get();
        word::set(before | word::ZERO);
        Flush(before)
    }
}
impl Drop for Flush {
    fn drop(&mut self) {
        word::set(self.0);
    }
}
