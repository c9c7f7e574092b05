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

/// Calls `f(start, length)` for each chunk of a row of `width`, the last one perhaps shorter.
#[inline(always)]
pub fn chunks(width: usize, mut f: impl FnMut(usize, usize)) {
    let whole = width / LANES * LANES;
    let mut at = 0;
    while at < whole {
        f(at, LANES);
        at += LANES;
    }
    if at < width {
        f(at, width - at);
    }
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
    chunks(width, |i, n| most = zip(unsafe { load(x.add(i), n, f32::NEG_INFINITY) }, most, larger));
    reduce(most, larger)
}

/// How many rows of `width` make a task worth handing out.
pub fn rows_per_task(width: usize) -> usize {
    (16384 / width.max(1)).max(1)
}
