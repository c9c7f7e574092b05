//! Walks over a part of a map's space: which axes are one, in what order memory is visited, how a part is cut into blocks.
use super::elements::Plane;

/// Axes that a map may have.
pub const RANK: usize = 8;
pub type Axes = [usize; RANK];

pub fn axes(list: &[usize]) -> Axes {
    let mut axes = [0; RANK];
    axes[..list.len()].copy_from_slice(list);
    axes
}

/// Row-major strides.
pub fn dense(extent: &[usize]) -> Axes {
    let mut strides = [0; RANK];
    let mut by = 1;
    for d in (0..extent.len()).rev() {
        strides[d] = by;
        by *= extent[d];
    }
    strides
}

pub fn dot(at: &[usize], strides: &Axes) -> usize {
    at.iter().zip(strides).map(|(&i, &by)| i * by).sum()
}

/// Calls `f` at every place of a box, the last axis fastest, with the dot products of the place and two lists of strides.
pub fn each_place(extent: &[usize], first: &Axes, second: &Axes, mut f: impl FnMut(usize, usize)) {
    if extent.contains(&0) {
        return;
    }
    let (mut at, mut x, mut y) = ([0; RANK], 0, 0);
    loop {
        f(x, y);
        let mut d = extent.len();
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            at[d] += 1;
            x += first[d];
            y += second[d];
            if at[d] < extent[d] {
                break;
            }
            at[d] = 0;
            x -= first[d] * extent[d];
            y -= second[d] * extent[d];
        }
    }
}

/// A block that is row-major on one side and by strides in memory, with as few axes as say it.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    pub rank: usize,
    pub extent: Axes,
    pub stride: Axes,
    pub dense: Axes,
}

impl Walk {
    pub fn new(extent: &[usize], stride: &Axes) -> Walk {
        let mut walk = Walk { rank: 0, extent: [0; RANK], stride: [0; RANK], dense: [0; RANK] };
        for (d, &n) in extent.iter().enumerate() {
            if n == 1 {
                continue;
            }
            let last = walk.rank.wrapping_sub(1);
            if walk.rank > 0 && walk.stride[last] == stride[d] * n {
                walk.extent[last] *= n;
                walk.stride[last] = stride[d];
            } else {
                walk.extent[walk.rank] = n;
                walk.stride[walk.rank] = stride[d];
                walk.rank += 1;
            }
        }
        walk.dense = dense(&walk.extent[..walk.rank]);
        walk
    }
    /// Whether memory holds the block as it is.
    pub fn contiguous(&self) -> bool {
        self.rank == 0 || (self.rank == 1 && self.stride[0] == 1)
    }
    /// How often the block repeats one part, and that part.
    pub fn repeated(&self) -> (usize, Walk) {
        if self.rank == 0 || self.stride[0] != 0 {
            return (1, *self);
        }
        (self.extent[0], Walk::new(&self.extent[1..self.rank], &self.tail()))
    }
    fn tail(&self) -> Axes {
        axes(&self.stride[1..])
    }
    /// The plane of the two axes to move together, whether as a tile, and the walk over the others.
    pub fn plane(&self) -> (Plane, bool, Walk) {
        if self.rank == 0 {
            let plane = Plane { rows: 1, columns: 1, dense: 1, row: 1, column: 1 };
            return (plane, false, *self);
        }
        let last = self.rank - 1;
        let near = nearest(&self.extent[..self.rank], &self.stride);
        let tile = near != last && self.stride[last] > 1;
        let row = if tile { Some(near) } else { last.checked_sub(1) };
        let mut plane = Plane { rows: 1, columns: self.extent[last], dense: 0, row: 0, column: self.stride[last] };
        let mut rest = *self;
        rest.extent[last] = 1;
        if let Some(d) = row {
            plane.rows = self.extent[d];
            plane.dense = self.dense[d];
            plane.row = self.stride[d];
            rest.extent[d] = 1;
        }
        (plane, tile, rest)
    }
}

/// The axis along which memory is nearest: that of the smallest stride other than 0, the last of equals.
fn nearest(extent: &[usize], stride: &Axes) -> usize {
    let far = |d: usize| if stride[d] == 0 || extent[d] == 1 { usize::MAX } else { stride[d] };
    (0..extent.len()).rev().min_by_key(|&d| far(d)).unwrap_or(0)
}

/// The parts of an axis of `n` elements, near equal and none longer than `most`.
pub fn part(n: usize, most: usize) -> usize {
    let most = most.max(1);
    if n <= most {
        return n;
    }
    let part = n.div_ceil(n.div_ceil(most));
    // whole cache lines where that changes little
    let lines = part.next_multiple_of(16);
    if lines <= most && lines - part <= part / 4 { lines } else { part }
}

/// The extents of blocks of at most `most` elements: whole inner axes and a part of the next.
pub fn block(extent: &[usize], most: usize) -> Axes {
    let mut block = axes(&[1; RANK]);
    let mut room = most;
    for d in (0..extent.len()).rev() {
        block[d] = part(extent[d], room);
        if block[d] < extent[d] {
            break;
        }
        room /= extent[d].max(1);
    }
    block
}

/// The same for memory that is visited across the last axis: 16 or more of its neighbours and 32 or more of that axis together.
pub fn tile(extent: &[usize], stride: &Axes, most: usize) -> Option<Axes> {
    let last = (0..extent.len()).rev().find(|&d| extent[d] > 1)?;
    let near = nearest(extent, stride);
    if near == last || stride[last] < 2 || extent[near] == 1 {
        return None;
    }
    let mut block = axes(&[1; RANK]);
    block[near] = part(extent[near], most / extent[last].min(32));
    block[near] = part(block[near], 16.max(most / extent[last]));
    block[last] = part(extent[last], most / block[near]);
    Some(block)
}

/// Calls `f` with the first place and the extents of each block of a box that holds something.
pub fn each_block(low: &[usize], extent: &[usize], block: &Axes, mut f: impl FnMut(&[usize], &[usize])) {
    let rank = extent.len();
    let (mut at, mut size) = ([0; RANK], [0; RANK]);
    loop {
        let mut place = [0; RANK];
        for d in 0..rank {
            place[d] = low[d] + at[d];
            size[d] = block[d].min(extent[d] - at[d]);
        }
        f(&place[..rank], &size[..rank]);
        let mut d = rank;
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            at[d] += block[d];
            if at[d] < extent[d] {
                break;
            }
            at[d] = 0;
        }
    }
}
