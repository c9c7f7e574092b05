//! Runs maps on buffers, and says what they should give.
mod ops;
mod reductions;
mod space;

use super::*;
use crate::kernel::Kernel;
use crate::memory::Buffer;
use crate::reader::{Reader, Result, Slot};
use crate::simd::Simd;
use crate::team::Team;

/// A map in the making: slots with contents, and words that speak of them.
#[derive(Default)]
pub struct Case {
    pub dims: Vec<usize>,
    pub slots: Vec<Vec<u8>>,
    pub inputs: Vec<(Dtype, Vec<usize>, usize, usize)>,
    pub outputs: Vec<(usize, Dtype, Vec<usize>, usize, usize)>,
    pub reductions: Vec<(usize, usize, usize, Vec<usize>, usize, usize)>,
    pub constants: Vec<u32>,
    pub temporaries: usize,
    pub code: Vec<[usize; 5]>,
}

pub fn op(name: &str) -> usize {
    OPS.iter().position(|&o| o == name).unwrap()
}
pub fn strides(dims: &[usize]) -> Vec<usize> {
    walk::dense(dims)[..dims.len()].to_vec()
}
pub fn bytes<T: Copy>(values: &[T]) -> Vec<u8> {
    // SAFETY: numbers have no padding
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }.to_vec()
}
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

impl Case {
    pub fn new(dims: &[usize]) -> Case {
        Case { dims: dims.to_vec(), ..Case::default() }
    }
    pub fn slot<T: Copy>(&mut self, values: &[T]) -> usize {
        self.slots.push(bytes(values));
        self.slots.len() - 1
    }
    /// A dense f32 input.
    pub fn input(&mut self, values: &[f32]) {
        let slot = self.slot(values);
        self.inputs.push((Dtype::F32, strides(&self.dims), slot, 0));
    }
    /// A dense f32 output of a register; its slot.
    pub fn output(&mut self, register: usize) -> usize {
        let n: usize = self.dims.iter().product();
        let slot = self.slot(&vec![-7f32; n]);
        self.outputs.push((register, Dtype::F32, strides(&self.dims), slot, 0));
        slot
    }
    pub fn words(&self) -> Vec<u32> {
        let mut words = vec![self.dims.len()];
        words.extend(&self.dims);
        words.push(self.inputs.len());
        for (dtype, strides, slot, offset) in &self.inputs {
            words.push(*dtype as usize);
            words.extend(strides);
            words.extend([slot, offset]);
        }
        words.push(self.outputs.len());
        for (register, dtype, strides, slot, offset) in &self.outputs {
            words.extend([*register, *dtype as usize]);
            words.extend(strides);
            words.extend([slot, offset]);
        }
        words.push(self.reductions.len());
        for (kind, register, axes, strides, slot, offset) in &self.reductions {
            words.extend([kind, register, axes]);
            words.extend(strides);
            words.extend([slot, offset]);
        }
        words.push(self.constants.len());
        words.extend(self.constants.iter().map(|&c| c as usize));
        words.extend([self.temporaries, self.code.len()]);
        words.extend(self.code.iter().flatten());
        words.into_iter().map(|w| w as u32).collect()
    }
    pub fn read(&self, simd: Simd) -> Result<Box<dyn Kernel>> {
        let words = self.words();
        let slots: Vec<Slot> = self.slots.iter().map(|s| Slot { bytes: s.len() }).collect();
        let mut reader = Reader::new(&words, &slots);
        let kernel = super::run::read_for(&mut reader, simd)?;
        assert!(reader.done());
        Ok(kernel)
    }
    /// The slots after a run.
    pub fn run(&self, simd: Simd, threads: usize) -> Vec<Vec<u8>> {
        let kernel = self.read(simd).unwrap();
        let team = Team::new(threads);
        let scratch = kernel.scratch(threads);
        let mut slots: Vec<Buffer> = self.slots.iter().map(|s| Buffer::new(s.len()).unwrap()).collect();
        for (buffer, contents) in slots.iter_mut().zip(&self.slots) {
            buffer.slice_mut()[..contents.len()].copy_from_slice(contents);
        }
        let shared = Buffer::new(scratch.shared).unwrap();
        let own: Vec<Buffer> = (0..threads).map(|_| Buffer::new(scratch.own).unwrap()).collect();
        let memory = Memory {
            slots: slots.iter().map(Buffer::address).collect(),
            shared: shared.address(),
            own: own.iter().map(Buffer::address).collect(),
        };
        // SAFETY: the slots are as long as the reader was told
        team.run(&|worker| unsafe { kernel.run(&memory, worker) }).unwrap();
        slots.iter().map(|b| b.slice().to_vec()).collect()
    }
    /// The slots after a run, the same for every number of threads.
    pub fn steady(&self, simd: Simd) -> Vec<Vec<u8>> {
        let one = self.run(simd, 1);
        assert!(one == self.run(simd, 3), "three threads give other bits than one");
        one
    }
}

/// Numbers that look random, the same each time.
pub struct Numbers(u32);
impl Numbers {
    pub fn new(seed: u32) -> Numbers {
        Numbers(seed)
    }
    pub fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9);
        super::ops::mix(self.0)
    }
    pub fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }
    /// From -1 to 1.
    pub fn float(&mut self) -> f32 {
        self.next() as i32 as f32 / 2_147_483_648.0
    }
    pub fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.float()).collect()
    }
}
