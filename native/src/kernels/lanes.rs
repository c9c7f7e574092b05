//! Rows of numbers, a chunk of lanes at a time: what normalisations, softmax and losses are made of.

/// Lanes of one chunk: two of the widest vectors, so that a sum has two chains of additions.
pub const LANES: usize = 32;
pub type Lanes = [f32; LANES];

/// The next `n` elements, and `fill` for the lanes beyond them.
///
/// # Safety
/// `from` holds `n` elements.
#[inline(always)]
pub unsafe fn load(from: *const f32, n: usize, fill: f32) -> Lanes {
    // SAFETY: the caller's
    unsafe {
        if n == LANES {
            return from.cast::<Lanes>().read_unaligned();
        }
        let mut lanes = [fill; LANES];
        for (i, lane) in lanes.iter_mut().enumerate().take(n) {
            *lane = *from.add(i);
        }
        lanes
    }
}

/// Writes the first `n` lanes.
///
/// # Safety
/// `to` holds `n` elements.
#[inline(always)]
pub unsafe fn store(to: *mut f32, n: usize, lanes: Lanes) {
    // SAFETY: the caller's
    unsafe {
        if n == LANES {
            return to.cast::<Lanes>().write_unaligned(lanes);
        }
        for (i, &lane) in lanes.iter().enumerate().take(n) {
            *to.add(i) = lane;
        }
    }
}

/// `chunks!(width, |start, length| …)`: for each chunk of a row, the last one perhaps shorter. A macro and no function: a closure
/// that is called from two places is compiled by itself, without the instruction set of what it is in.
macro_rules! chunks {
    ($width:expr, |$i:ident, $n:ident| $body:expr) => {{
        let (width, mut $i) = ($width, 0);
        while $i + $crate::kernels::lanes::LANES <= width {
            $crate::kernels::lanes::apart();
            let $n = $crate::kernels::lanes::LANES;
            $body;
            $i += $n;
        }
        if $i < width {
            let $n = width - $i;
            $body;
        }
    }};
}
pub(crate) use chunks;

/// Nothing, which keeps a loop's turns apart: the compiler would make vectors across chunks, and gather their lanes one by one.
#[inline(always)]
pub fn apart() {
    // SAFETY: no instruction
    unsafe { std::arch::asm!("", options(nomem, nostack, preserves_flags)) };
}

/// Each lane, changed by `f`: a loop, which becomes vector instructions where an array's own `map` does not.
#[inline(always)]
pub fn map(mut lanes: Lanes, f: impl Fn(f32) -> f32) -> Lanes {
    for lane in &mut lanes {
        *lane = f(*lane);
    }
    lanes
}

/// Each lane of `x`, changed by `f` with that lane of `y`.
#[inline(always)]
pub fn zip(x: Lanes, y: Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
    let mut out = x;
    for (out, y) in out.iter_mut().zip(y) {
        *out = f(*out, y);
    }
    out
}

/// All lanes as one, by halves.
#[inline(always)]
pub fn reduce(mut lanes: Lanes, f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut n = LANES / 2;
    while n > 0 {
        for i in 0..n {
            lanes[i] = f(lanes[i], lanes[i + n]);
        }
        n /= 2;
    }
    lanes[0]
}

#[inline(always)]
pub fn larger(x: f32, y: f32) -> f32 {
    if x > y { x } else { y }
}

/// The largest of a row; -∞ of none.
///
/// # Safety
/// `x` holds `width` elements.
#[inline(always)]
pub unsafe fn maximum(x: *const f32, width: usize) -> f32 {
    let mut most = [f32::NEG_INFINITY; LANES];
    // SAFETY: the caller's
    chunks!(width, |i, n| most = zip(unsafe { load(x.add(i), n, f32::NEG_INFINITY) }, most, larger));
    reduce(most, larger)
}

/// How many rows of `width` make a task worth handing out.
pub fn rows_per_task(width: usize) -> usize {
    (16384 / width.max(1)).max(1)
}
