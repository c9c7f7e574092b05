//! What tests of kernels share: slots of floats, words that place tensors in them, and a team that runs the kernel.
use crate::kernel::Kernel;
use crate::memory::{Buffer, Memory};
use crate::reader::{Reader, Slot};
use crate::team::Team;

/// Whole numbers from -3 to 3: sums of their products are exact in any order.
pub fn whole(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 31 + seed * 17 + i * i % 11) % 7) as f32 - 3.0).collect()
}

/// How the axes of [N C H W] lie: their order in memory, the first one farthest.
pub const LAYOUTS: [[usize; 4]; 2] = [[0, 1, 2, 3], [0, 2, 3, 1]];

/// Strides of `dims` that lie in `order`, rows of the last but one axis with `gap` elements between them.
pub fn strides(dims: [usize; 4], order: [usize; 4], gap: usize) -> [usize; 4] {
    let mut by = [0; 4];
    let mut step = 1;
    for (i, &axis) in order.iter().enumerate().rev() {
        by[axis] = step;
        step = step * dims[axis] + if i == 3 { gap } else { 0 };
    }
    by
}

/// A tensor's elements in the order of its axes, and where each lies in its slot.
pub fn places(dims: [usize; 4], by: [usize; 4]) -> impl Iterator<Item = usize> {
    let [n, c, h, w] = dims;
    (0..n * c * h * w)
        .map(move |i| i / (c * h * w) * by[0] + i / (h * w) % c * by[1] + i / w % h * by[2] + i % w * by[3])
}

/// Reads a kernel from its words and runs it over slots of floats.
pub fn run(
    read: &dyn Fn(&mut Reader) -> crate::reader::Result<Box<dyn Kernel>>,
    words: &[usize],
    slots: &mut [Vec<f32>],
    threads: usize,
) -> Result<(), String> {
    let mut buffers: Vec<Buffer> = slots.iter().map(|s| Buffer::new(s.len() * 4).unwrap()).collect();
    let sizes: Vec<Slot> = slots.iter().map(|s| Slot { bytes: s.len() * 4 }).collect();
    let words: Vec<u32> = words.iter().map(|&w| w as u32).collect();
    let mut reader = Reader::new(&words, &sizes);
    let kernel = read(&mut reader)?;
    if !reader.done() {
        return Err("words are left over".into());
    }
    let bytes = |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|x| x.to_ne_bytes()).collect() };
    for (buffer, slot) in buffers.iter_mut().zip(slots.iter()) {
        let from = bytes(slot);
        buffer.slice_mut()[..from.len()].copy_from_slice(&from);
    }
    let scratch = kernel.scratch(threads);
    // what scratch holds at first is nothing to rely on
    let soiled = |n: usize| {
        let mut buffer = Buffer::new(n).unwrap();
        buffer.slice_mut().fill(0xff);
        buffer
    };
    let shared = soiled(scratch.shared);
    let own: Vec<Buffer> = (0..threads).map(|_| soiled(scratch.own)).collect();
    let memory = Memory {
        slots: buffers.iter().map(Buffer::address).collect(),
        shared: shared.address(),
        own: own.iter().map(Buffer::address).collect(),
    };
    // SAFETY: the slots are those that the words were checked against
    Team::new(threads).run(&|worker| unsafe { kernel.run(&memory, worker) })?;
    for (buffer, slot) in buffers.iter().zip(slots) {
        for (x, b) in slot.iter_mut().zip(buffer.slice().chunks_exact(4)) {
            *x = f32::from_ne_bytes(b.try_into().unwrap());
        }
    }
    Ok(())
}
