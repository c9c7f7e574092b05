//! Runs one instruction on a team, for tests: slots of numbers, words that name them.
use super::KERNELS;
use crate::memory::{Buffer, Memory};
use crate::reader::{Reader, Result, Slot};
use crate::team::Team;

/// Numbers from -1 to 1, the same for the same seed.
pub fn random(seed: u32, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    (0..n).map(|_| (next() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// An instruction in the making. A slot holds four-byte elements; labels and ids go in by their bits.
#[derive(Default)]
pub struct Case {
    pub words: Vec<u32>,
    pub slots: Vec<Vec<f32>>,
}

impl Case {
    pub fn numbers(&mut self, values: &[usize]) -> &mut Case {
        self.words.extend(values.iter().map(|&n| n as u32));
        self
    }
    pub fn float(&mut self, x: f32) -> &mut Case {
        self.words.push(x.to_bits());
        self
    }
    /// A slot of its own for these values; its number is returned.
    pub fn slot(&mut self, values: &[f32]) -> usize {
        self.slots.push(values.to_vec());
        self.slots.len() - 1
    }
    pub fn operand(&mut self, values: &[f32]) -> usize {
        let slot = self.slot(values);
        self.numbers(&[slot, 0]);
        slot
    }
    pub fn whole(&mut self, values: &[i32]) -> usize {
        self.operand(&values.iter().map(|&v| f32::from_bits(v as u32)).collect::<Vec<_>>())
    }
    /// A result: full of a number that must be written over.
    pub fn result(&mut self, n: usize) -> usize {
        self.operand(&vec![f32::NAN; n])
    }

    /// The slots after the instruction, on a team of `threads`.
    pub fn run(&self, name: &str, threads: usize) -> Result<Vec<Vec<f32>>> {
        let sizes: Vec<Slot> = self.slots.iter().map(|s| Slot { bytes: s.len() * 4 }).collect();
        let read = KERNELS.iter().find(|k| k.0 == name).expect("a kernel of that name").1;
        let mut r = Reader::new(&self.words, &sizes);
        let kernel = read(&mut r)?;
        assert!(r.done(), "words are left over");
        let mut slots = self.slots.clone();
        let scratch = kernel.scratch(threads);
        let shared = Buffer::new(scratch.shared)?;
        let own: Vec<Buffer> = (0..threads).map(|_| Buffer::new(scratch.own)).collect::<Result<_>>()?;
        let memory = Memory {
            slots: slots.iter_mut().map(|s| s.as_mut_ptr().cast()).collect(),
            shared: shared.address(),
            own: own.iter().map(Buffer::address).collect(),
        };
        // SAFETY: the slots are as large as the kernel was told
        Team::new(threads).run(&|worker| unsafe { kernel.run(&memory, worker) })?;
        Ok(slots)
    }

    /// Every way of leaving words out is refused, and so is every slot that is too small.
    pub fn refuses_what_does_not_fit(&self, name: &str) {
        let read = KERNELS.iter().find(|k| k.0 == name).expect("a kernel of that name").1;
        let sizes = |short: usize| -> Vec<Slot> {
            self.slots
                .iter()
                .enumerate()
                .map(|(i, s)| Slot { bytes: s.len() * 4 - if i == short { 4 } else { 0 } })
                .collect()
        };
        for end in 0..self.words.len() {
            assert!(read(&mut Reader::new(&self.words[..end], &sizes(usize::MAX))).is_err(), "{name}: {end} words");
        }
        for short in 0..self.slots.len() {
            assert!(read(&mut Reader::new(&self.words, &sizes(short))).is_err(), "{name}: slot {short} too small");
        }
    }
}

/// Both are equal within `tolerance`, relative to 1 or the number itself.
pub fn close(name: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{name}");
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        assert!((f64::from(g) - w).abs() <= tolerance * (1.0 + w.abs()), "{name}[{i}]: {g}, not {w}");
    }
}

pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}
