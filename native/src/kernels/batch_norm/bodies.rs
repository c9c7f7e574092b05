//! The innermost loops of batch normalisation: sums of each channel, and a map of each element by its channel's numbers.
use crate::simd::{mul_add, versions};

/// Places of an image in all channels: from one place, and from one channel, to the next.
#[derive(Clone, Copy)]
pub struct Run {
    pub at: *mut f32,
    pub by: usize,
    pub channel_by: usize,
}
impl Run {
    #[inline(always)]
    unsafe fn read<const L: usize>(&self, place: usize, channel: usize) -> [f32; L] {
        // SAFETY: the caller's, L floats side by side
        unsafe { read(self.at.wrapping_add(place * self.by + channel * self.channel_by)) }
    }
}
/// How many places and channels.
#[derive(Clone, Copy)]
pub struct Size {
    pub places: usize,
    pub channels: usize,
}

const LANES: usize = 16;
#[inline(always)]
unsafe fn read<const L: usize>(at: *const f32) -> [f32; L] {
    // SAFETY: the caller's
    unsafe { at.cast::<[f32; L]>().read_unaligned() }
}
#[inline(always)]
unsafe fn write<const L: usize>(at: *mut f32, x: [f32; L]) {
    // SAFETY: the caller's
    unsafe { at.cast::<[f32; L]>().write_unaligned(x) }
}

/// `f(first, second, x, g, m)` adds to a channel's two sums what a place holds, m being the channel's number.
#[inline(always)]
unsafe fn reduce<const TWO: bool>(t: &Totals, f: impl Fn(&mut f32, &mut f32, [f32; 3]) + Copy) {
    // SAFETY: the caller's: both runs hold the places and channels, and there is a number for each channel
    unsafe {
        let &Totals { size, runs: [x, g], m, first: firsts, second: seconds } = t;
        let mut c = 0;
        if x.channel_by == 1 && g.channel_by == 1 {
            while c + 4 * LANES <= size.channels {
                across::<{ 4 * LANES }, TWO>(t, c, f);
                c += 4 * LANES;
            }
            while c + LANES <= size.channels {
                across::<LANES, TWO>(t, c, f);
                c += LANES;
            }
        }
        for c in c..size.channels {
            let along = x.by == 1 && g.by == 1;
            let whole = if along { size.places / LANES * LANES } else { 0 };
            let (mut first, mut second) = ([0.0f32; LANES], [0.0f32; LANES]);
            let m = *m.add(c);
            for place in (0..whole).step_by(LANES) {
                let (x, g) = (x.read::<LANES>(place, c), g.read::<LANES>(place, c));
                for i in 0..LANES {
                    f(&mut first[i], &mut second[i], [x[i], g[i], m]);
                }
            }
            for place in whole..size.places {
                let (x, g) = (x.read::<1>(place, c)[0], g.read::<1>(place, c)[0]);
                f(&mut first[0], &mut second[0], [x, g, m]);
            }
            *firsts.add(c) += first.iter().sum::<f32>();
            if TWO {
                *seconds.add(c) += second.iter().sum::<f32>();
            }
        }
    }
}
#[inline(always)]
unsafe fn across<const L: usize, const TWO: bool>(t: &Totals, c: usize, f: impl Fn(&mut f32, &mut f32, [f32; 3])) {
    let &Totals { size, runs: [x, g], m, first: firsts, second: seconds } = t;
    // SAFETY: the caller's, L channels side by side
    unsafe {
        let m = read::<L>(m.add(c));
        let mut first = read::<L>(firsts.add(c));
        let mut second = if TWO { read::<L>(seconds.add(c)) } else { [0.0; L] };
        for place in 0..size.places {
            let (x, g) = (x.read::<L>(place, c), g.read::<L>(place, c));
            for i in 0..L {
                f(&mut first[i], &mut second[i], [x[i], g[i], m[i]]);
            }
        }
        write(firsts.add(c), first);
        if TWO {
            write(seconds.add(c), second);
        }
    }
}

/// Numbers of each channel, one table after another.
#[derive(Clone, Copy)]
pub struct Table {
    pub at: *const f32,
    pub channels: usize,
}
impl Table {
    #[inline(always)]
    unsafe fn read<const L: usize>(&self, which: usize, channel: usize) -> [f32; L] {
        // SAFETY: the caller's
        unsafe { read(self.at.add(which * self.channels + channel)) }
    }
}

/// `y = f(x, g, m)` at each place, m being the channel's numbers.
#[inline(always)]
unsafe fn map(size: Size, [x, g, y]: [Run; 3], t: Table, f: impl Fn(f32, f32, [f32; 4]) -> f32 + Copy) {
    // SAFETY: the caller's: the runs hold the places and channels, and the table four numbers for each channel
    unsafe {
        let across = [x, g, y].iter().all(|run| run.channel_by == 1);
        let whole = if across { size.channels / LANES * LANES } else { 0 };
        if whole > 0 {
            for place in 0..size.places {
                for c in (0..whole).step_by(LANES) {
                    let m: [[f32; LANES]; 4] = std::array::from_fn(|k| t.read(k, c));
                    let (x, g) = (x.read::<LANES>(place, c), g.read::<LANES>(place, c));
                    let out =
                        std::array::from_fn::<f32, LANES, _>(|i| f(x[i], g[i], [m[0][i], m[1][i], m[2][i], m[3][i]]));
                    write(y.at.wrapping_add(place * y.by + c), out);
                }
            }
        }
        let along = [x, g, y].iter().all(|run| run.by == 1);
        for c in whole..size.channels {
            let m: [f32; 4] = std::array::from_fn(|k| t.read::<1>(k, c)[0]);
            let wide = if along { size.places / LANES * LANES } else { 0 };
            for place in (0..wide).step_by(LANES) {
                let (x, g) = (x.read::<LANES>(place, c), g.read::<LANES>(place, c));
                let out = std::array::from_fn::<f32, LANES, _>(|i| f(x[i], g[i], m));
                write(y.at.wrapping_add(place + c * y.channel_by), out);
            }
            for place in wide..size.places {
                let out = f(x.read::<1>(place, c)[0], g.read::<1>(place, c)[0], m);
                *y.at.wrapping_add(place * y.by + c * y.channel_by) = out;
            }
        }
    }
}

/// Sums for each channel, with `m` a number for each channel; the first two functions leave the second alone.
#[derive(Clone, Copy)]
pub struct Totals {
    pub size: Size,
    pub runs: [Run; 2],
    pub m: *const f32,
    pub first: *mut f32,
    pub second: *mut f32,
}

#[inline(always)]
unsafe fn total_body<const FMA: bool>(t: &Totals) {
    // SAFETY: the caller's
    unsafe { reduce::<false>(t, |first, _, [x, ..]| *first += x) }
}
#[inline(always)]
unsafe fn squares_body<const FMA: bool>(t: &Totals) {
    // SAFETY: the caller's
    unsafe { reduce::<false>(t, |first, _, [x, _, m]| *first = mul_add::<FMA>(x - m, x - m, *first)) }
}
#[inline(always)]
unsafe fn products_body<const FMA: bool>(t: &Totals) {
    let f = |first: &mut f32, second: &mut f32, [x, g, m]: [f32; 3]| {
        *first += g;
        *second = mul_add::<FMA>(g, x - m, *second);
    };
    // SAFETY: the caller's
    unsafe { reduce::<true>(t, f) }
}
versions! {
    /// Sums of x.
    pub fn total(t: &Totals) = total_body
}
versions! {
    /// Sums of the squares of x - m.
    pub fn squares(t: &Totals) = squares_body
}
versions! {
    /// Sums of g, and of g (x - m).
    pub fn products(t: &Totals) = products_body
}

#[inline(always)]
unsafe fn normal_body<const FMA: bool>(size: Size, runs: [Run; 3], t: Table) {
    // SAFETY: the caller's
    unsafe { map(size, runs, t, |x, _, [m, scale, shift, _]| mul_add::<FMA>(x - m, scale, shift)) }
}
#[inline(always)]
unsafe fn gradient_body<const FMA: bool>(size: Size, runs: [Run; 3], t: Table) {
    let f = |x: f32, g: f32, [m, scale, shift, slope]: [f32; 4]| {
        mul_add::<FMA>(g, scale, mul_add::<FMA>(x - m, slope, shift))
    };
    // SAFETY: the caller's
    unsafe { map(size, runs, t, f) }
}
versions! {
    /// (x - m) scale + shift.
    pub fn normal(size: Size, runs: [Run; 3], t: Table) = normal_body
}
versions! {
    /// g scale + (x - m) slope + shift.
    pub fn gradient(size: Size, runs: [Run; 3], t: Table) = gradient_body
}
