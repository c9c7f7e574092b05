//! What a kernel is: an instruction read from a plan, ready to run.
use crate::memory::Memory;
use crate::team::Worker;

/// Bytes that an instruction needs beside its operands; both are aligned to 64.
#[derive(Clone, Copy, Default, Debug)]
pub struct Scratch {
    /// Once for the team.
    pub shared: usize,
    /// For each thread.
    pub own: usize,
}
impl Scratch {
    pub fn max(self, other: Scratch) -> Scratch {
        Scratch { shared: self.shared.max(other.shared), own: self.own.max(other.own) }
    }
}

pub trait Kernel: Send + Sync {
    /// This thread's share of the work. Every thread of the team makes the same call, and every kernel ends with a barrier.
    ///
    /// # Safety
    /// `memory` holds the slots that the plan was checked against, and no one else writes to them.
    unsafe fn run(&self, memory: &Memory, worker: &Worker);
    fn scratch(&self, _threads: usize) -> Scratch {
        Scratch::default()
    }
}
