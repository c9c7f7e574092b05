//! Instruction sets: for each, the tiles it has registers for, compiled for it.
use super::few::{Few, Pass, across, along};
use super::micro::{Micro, Tile, tile};
use super::pack::{Pack, Panels, panels};

/// What a processor can do, from the best down; which of them exist is known when the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Avx512,
    Avx2,
    Neon,
    Plain,
}

/// The matrix product for one instruction set.
pub struct Set {
    pub lanes: usize,
    /// Vectors side by side in the widest tile.
    pub vectors: usize,
    /// For each height from 1, for each width in vectors from 1: over packed rows, and over rows where they lie.
    pub packed: &'static [&'static [Micro]],
    pub direct: &'static [&'static [Micro]],
    pub pack: Pack,
    /// For each number of rows from 1: against lines of B whose columns lie side by side, and against columns in one piece.
    pub across: [Pass; 4],
    pub along: [Pass; 4],
}

impl Set {
    /// The height and the width of the largest tile.
    pub fn rows(&self) -> usize {
        self.packed.len()
    }
    pub fn columns(&self) -> usize {
        self.lanes * self.vectors
    }
    /// `None` where this machine has no such instructions.
    pub fn at(level: Level) -> Option<&'static Set> {
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => x86::has_avx512().then_some(&x86::avx512::SET),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => x86::has_avx2().then_some(&x86::avx2::SET),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => Some(&neon::SET),
            Level::Plain => Some(&plain::SET),
            #[allow(unreachable_patterns)]
            _ => None,
        }
    }
    pub fn best() -> &'static Set {
        [Level::Avx512, Level::Avx2, Level::Neon].into_iter().find_map(Set::at).unwrap_or(&plain::SET)
    }
}

/// The functions of a set, with the features they are compiled for; heights and widths are listed, not counted.
macro_rules! set {
    ($lanes:ty, $count:literal, $widths:tt, $(#[$feature:meta])?, $($height:literal)*) => {
        use super::*;
        $(#[$feature])?
        unsafe fn micro<const PACKED: bool, const R: usize, const W: usize>(t: &Tile) {
            // SAFETY: the caller's
            unsafe { tile::<$lanes, PACKED, R, W>(t) }
        }
        $(#[$feature])?
        unsafe fn pack(p: &Panels) {
            // SAFETY: the caller's
            unsafe { panels::<$lanes>(p) }
        }
        $(#[$feature])?
        unsafe fn across_few<const M: usize>(f: &Few) {
            // SAFETY: the caller's
            unsafe { across::<$lanes, M>(f) }
        }
        $(#[$feature])?
        unsafe fn along_few<const M: usize>(f: &Few) {
            // SAFETY: the caller's
            unsafe { along::<$lanes, M>(f) }
        }
        pub static SET: Set = Set {
            lanes: <$lanes as crate::gemm::lanes::Lanes>::COUNT,
            vectors: $count,
            packed: &[$(set!(@row true, $height, $widths)),*],
            direct: &[$(set!(@row false, $height, $widths)),*],
            pack,
            across: [across_few::<1>, across_few::<2>, across_few::<3>, across_few::<4>],
            along: [along_few::<1>, along_few::<2>, along_few::<3>, along_few::<4>],
        };
    };
    (@row $packed:literal, $height:literal, [$($width:literal)*]) => {
        &[$(micro::<$packed, $height, $width>),*]
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    pub fn has_avx512() -> bool {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") && has_avx2()
    }
    pub fn has_avx2() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }
    pub mod avx512 {
        set!(crate::gemm::lanes::x86::Avx512, 2, [1 2], #[target_feature(enable = "avx512f,avx512vl,avx2,fma")],
            1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }
    pub mod avx2 {
        set!(crate::gemm::lanes::x86::Avx2, 2, [1 2], #[target_feature(enable = "avx2,fma")], 1 2 3 4 5 6);
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    set!(crate::gemm::lanes::arm::Neon, 3, [1 2 3], , 1 2 3 4 5 6 7 8);
}

mod plain {
    set!(crate::gemm::lanes::Plain, 2, [1 2], , 1 2 3 4);
}
