//! Between memory and registers: how each element type becomes lanes of 32 bits, by rows and by tiles.
use crate::reader::Dtype;
use crate::simd::{Simd, versions};

/// An element type as it lies in memory.
trait Element {
    type Stored: Copy;
    fn widen(stored: Self::Stored) -> u32;
    fn narrow(lane: u32) -> Self::Stored;
}
/// f32, i32 and u32: the lanes themselves.
enum Word {}
impl Element for Word {
    type Stored = u32;
    #[inline(always)]
    fn widen(stored: u32) -> u32 {
        stored
    }
    #[inline(always)]
    fn narrow(lane: u32) -> u32 {
        lane
    }
}
enum Half {}
impl Element for Half {
    type Stored = u16;
    #[inline(always)]
    fn widen(stored: u16) -> u32 {
        let (sign, rest) = (u32::from(stored & 0x8000) << 16, u32::from(stored & 0x7fff));
        let normal = (rest << 13) + (112 << 23);
        // by way of a whole number: as bits it would be a denormal, which counts as zero
        let small = (rest as i32 as f32 * (1.0 / 16_777_216.0)).to_bits();
        let special = (rest << 13) | 0x7f80_0000;
        sign | if rest < 0x400 {
            small
        } else if rest >= 0x7c00 {
            special
        } else {
            normal
        }
    }
    #[inline(always)]
    fn narrow(lane: u32) -> u16 {
        let (sign, rest) = ((lane >> 16) & 0x8000, lane & 0x7fff_ffff);
        let normal = (rest.wrapping_sub(112 << 23) + 0xfff + ((rest >> 13) & 1)) >> 13;
        // the last place of ½ is the smallest half-precision number: the sum rounds to it
        let small = (f32::from_bits(rest) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
        let large = if rest > 0x7f80_0000 { 0x7e00 } else { 0x7c00 };
        let half = if rest < 0x3880_0000 {
            small
        } else if rest >= 0x477f_f000 {
            large
        } else {
            normal
        };
        (sign | half) as u16
    }
}
enum Brain {}
impl Element for Brain {
    type Stored = u16;
    #[inline(always)]
    fn widen(stored: u16) -> u32 {
        u32::from(stored) << 16
    }
    #[inline(always)]
    fn narrow(lane: u32) -> u16 {
        let rounded = lane.wrapping_add(0x7fff + ((lane >> 16) & 1)) >> 16;
        (if lane & 0x7fff_ffff > 0x7f80_0000 { (lane >> 16) | 0x40 } else { rounded }) as u16
    }
}
enum Long {}
impl Element for Long {
    type Stored = i64;
    #[inline(always)]
    fn widen(stored: i64) -> u32 {
        stored as u32
    }
    #[inline(always)]
    fn narrow(lane: u32) -> i64 {
        i64::from(lane as i32)
    }
}
enum Byte {}
impl Element for Byte {
    type Stored = u8;
    #[inline(always)]
    fn widen(stored: u8) -> u32 {
        u32::from(stored != 0)
    }
    #[inline(always)]
    fn narrow(lane: u32) -> u8 {
        u8::from(lane != 0)
    }
}

/// Two axes of a walk: how long they are, and their strides on the dense side and in memory, in elements.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plane {
    pub rows: usize,
    pub columns: usize,
    pub dense: usize,
    pub row: usize,
    pub column: usize,
}

#[inline(always)]
unsafe fn load_rows<E: Element, const FMA: bool>(dst: &mut [u32], memory: *const u8, p: &Plane) {
    let dst = dst.as_mut_ptr();
    for i in 0..p.rows {
        // SAFETY: the plane lies inside both
        unsafe {
            let (to, from) = (dst.add(i * p.dense), memory.cast::<E::Stored>().add(i * p.row));
            match p.column {
                1 => (0..p.columns).for_each(|j| *to.add(j) = E::widen(from.add(j).read_unaligned())),
                0 => {
                    let value = E::widen(from.read_unaligned());
                    (0..p.columns).for_each(|j| *to.add(j) = value);
                }
                by => (0..p.columns).for_each(|j| *to.add(j) = E::widen(from.add(j * by).read_unaligned())),
            }
        }
    }
}
#[inline(always)]
unsafe fn store_rows<E: Element, const FMA: bool>(src: &[u32], memory: *mut u8, p: &Plane) {
    let src = src.as_ptr();
    for i in 0..p.rows {
        // SAFETY: the plane lies inside both
        unsafe {
            let (from, to) = (src.add(i * p.dense), memory.cast::<E::Stored>().add(i * p.row));
            match p.column {
                1 => (0..p.columns).for_each(|j| to.add(j).write_unaligned(E::narrow(*from.add(j)))),
                by => (0..p.columns).for_each(|j| to.add(j * by).write_unaligned(E::narrow(*from.add(j)))),
            }
        }
    }
}
/// Columns first: what is near in memory is moved together, the register block is near everywhere.
#[inline(always)]
unsafe fn load_tile<E: Element, const FMA: bool>(dst: &mut [u32], memory: *const u8, p: &Plane) {
    let dst = dst.as_mut_ptr();
    for j in 0..p.columns {
        for i in 0..p.rows {
            // SAFETY: the plane lies inside both
            unsafe {
                let from = memory.cast::<E::Stored>().add(i * p.row + j * p.column);
                *dst.add(i * p.dense + j) = E::widen(from.read_unaligned());
            }
        }
    }
}
#[inline(always)]
unsafe fn store_tile<E: Element, const FMA: bool>(src: &[u32], memory: *mut u8, p: &Plane) {
    let src = src.as_ptr();
    for j in 0..p.columns {
        for i in 0..p.rows {
            // SAFETY: the plane lies inside both
            unsafe {
                let to = memory.cast::<E::Stored>().add(i * p.row + j * p.column);
                to.write_unaligned(E::narrow(*src.add(i * p.dense + j)));
            }
        }
    }
}
versions! { fn rows_in<E: Element>(dst: &mut [u32], memory: *const u8, p: &Plane) = load_rows }
versions! { fn rows_out<E: Element>(src: &[u32], memory: *mut u8, p: &Plane) = store_rows }
versions! { fn tile_in<E: Element>(dst: &mut [u32], memory: *const u8, p: &Plane) = load_tile }
versions! { fn tile_out<E: Element>(src: &[u32], memory: *mut u8, p: &Plane) = store_tile }

/// How elements of one type are moved; the lanes are those of a block, from the plane's first on.
#[derive(Clone, Copy)]
pub struct Moves {
    rows_in: unsafe fn(&mut [u32], *const u8, &Plane),
    rows_out: unsafe fn(&[u32], *mut u8, &Plane),
    tile_in: unsafe fn(&mut [u32], *const u8, &Plane),
    tile_out: unsafe fn(&[u32], *mut u8, &Plane),
    /// As tiles, where the rows' stride in memory is 1.
    turn_in: unsafe fn(&mut [u32], *const u8, &Plane),
    turn_out: unsafe fn(&[u32], *mut u8, &Plane),
}
impl Moves {
    fn of<E: Element>(simd: Simd) -> Moves {
        let (rows_in, rows_out) = (rows_in::<E>(simd), rows_out::<E>(simd));
        let (tile_in, tile_out) = (tile_in::<E>(simd), tile_out::<E>(simd));
        Moves { rows_in, rows_out, tile_in, tile_out, turn_in: tile_in, turn_out: tile_out }
    }
    /// How a plane goes in, and out.
    pub fn way_in(&self, plane: &Plane, tile: bool) -> unsafe fn(&mut [u32], *const u8, &Plane) {
        match (tile, plane.row) {
            (true, 1) => self.turn_in,
            (true, _) => self.tile_in,
            _ => self.rows_in,
        }
    }
    pub fn way_out(&self, plane: &Plane, tile: bool) -> unsafe fn(&[u32], *mut u8, &Plane) {
        match (tile, plane.row) {
            (true, 1) => self.turn_out,
            (true, _) => self.tile_out,
            _ => self.rows_out,
        }
    }
    fn words(simd: Simd) -> Moves {
        let mut moves = Moves::of::<Word>(simd);
        #[cfg(target_arch = "x86_64")]
        if simd > Simd::Portable {
            moves.turn_in = super::transpose::tile_in;
            moves.turn_out = super::transpose::tile_out;
        }
        moves
    }
    pub fn new(dtype: Dtype, simd: Simd) -> Moves {
        match dtype {
            Dtype::F32 | Dtype::I32 | Dtype::U32 => Moves::words(simd),
            Dtype::F16 => Moves::of::<Half>(simd),
            Dtype::Bf16 => Moves::of::<Brain>(simd),
            Dtype::I64 => Moves::of::<Long>(simd),
            Dtype::Bool => Moves::of::<Byte>(simd),
        }
    }
}

/// Whether memory holds the lanes themselves.
pub fn is_word(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F32 | Dtype::I32 | Dtype::U32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_precision_number_survives_the_way_in_and_out() {
        for bits in 0..=u16::MAX {
            let is_nan = bits & 0x7fff > 0x7c00;
            let wide = f32::from_bits(Half::widen(bits));
            assert_eq!(wide.is_nan(), is_nan);
            if !is_nan {
                assert_eq!(Half::narrow(wide.to_bits()), bits);
            }
        }
        assert_eq!(f32::from_bits(Half::widen(1)), 2f32.powi(-24));
        assert_eq!(f32::from_bits(Half::widen(0x3c01)), 1.0 + 2f32.powi(-10));
    }

    #[test]
    fn halves_round_to_the_nearest_and_ties_to_even() {
        let half = |x: f32| Half::narrow(x.to_bits());
        assert_eq!([half(65519.0), half(65520.0), half(-1e9)], [0x7bff, 0x7c00, 0xfc00]);
        assert_eq!([half(1.0 + 2f32.powi(-11)), half(1.0 + 3.0 * 2f32.powi(-11))], [0x3c00, 0x3c02]);
        assert_eq!([half(2f32.powi(-25)), half(1.5 * 2f32.powi(-25)), half(3.0 * 2f32.powi(-25))], [0, 1, 2]);
        let brain = |x: f32| Brain::narrow(x.to_bits());
        assert_eq!([brain(1.0 + 2f32.powi(-8)), brain(1.0 + 3.0 * 2f32.powi(-8))], [0x3f80, 0x3f82]);
        assert!(f32::from_bits(Brain::widen(brain(f32::from_bits(0x7f80_0001)))).is_nan());
        assert_eq!(brain(f32::INFINITY), 0x7f80);
    }
}
