//! A session: state by number, loaded plans, and the memory they run in.
use crate::memory::Buffer;
use crate::plan::{Ended, Given, Plan};
use crate::team::{Cancel, Team};
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Session {
    team: Team,
    state: Vec<Option<Buffer>>,
    plans: Vec<Plan>,
    arena: Buffer,
    shared: Buffer,
    own: Vec<Buffer>,
}

/// What a run gave: its outputs, and the nanoseconds of each instruction where they were asked for.
pub struct Results {
    pub ended: Ended,
    pub outputs: Vec<Buffer>,
    pub times: Vec<u64>,
}

/// How a run is made.
#[derive(Clone, Copy, Default)]
pub struct Options {
    /// Leave the state as it was where an output that is one number is not finite.
    pub guarded: bool,
    pub timed: bool,
}

impl Session {
    pub fn new(threads: usize) -> Result<Session, String> {
        let threads = threads.clamp(1, 256);
        let own = (0..threads).map(|_| Buffer::new(0)).collect::<Result<_, _>>()?;
        let team = Team::new(threads);
        Ok(Session { team, state: Vec::new(), plans: Vec::new(), arena: Buffer::new(0)?, shared: Buffer::new(0)?, own })
    }
    pub fn threads(&self) -> usize {
        self.team.threads
    }
    pub fn cancel(&self) -> Cancel {
        self.team.cancel()
    }

    /// Set value `number` of the state; its memory is kept where the size is the same.
    pub fn write(&mut self, number: usize, bytes: &[u8]) -> Result<(), String> {
        self.fill(number, bytes.len(), 0, bytes)
    }

    /// Set a part of value `number` of the state, which has `total` bytes: the rest is what it was, or anything where it is new.
    pub fn fill(&mut self, number: usize, total: usize, offset: usize, bytes: &[u8]) -> Result<(), String> {
        if number >= self.state.len() {
            if number > 1 << 24 {
                return Err(format!("{number} is no number of a state value"));
            }
            self.state.resize_with(number + 1, || None);
        }
        let slot = &mut self.state[number];
        if slot.as_ref().is_none_or(|b| b.bytes != total) {
            *slot = None;
            *slot = Some(Buffer::of_small_pages(total)?);
        }
        let part = slot.as_mut().and_then(|buffer| buffer.slice_mut().get_mut(offset..)?.get_mut(..bytes.len()));
        let part = part.ok_or(format!("{} bytes from {offset} on are not within {total}", bytes.len()))?;
        part.copy_from_slice(bytes);
        Ok(())
    }
    pub fn read(&self, number: usize) -> Result<&[u8], String> {
        let found = self.state.get(number).and_then(Option::as_ref);
        found.map(Buffer::slice).ok_or(format!("the state has no value {number}"))
    }

    /// Read a plan; its number is what `run` takes.
    pub fn load(&mut self, words: &[u32], constants: &[u8]) -> Result<usize, String> {
        self.plans.push(Plan::read(words, constants, self.team.threads)?);
        Ok(self.plans.len() - 1)
    }
    pub fn plan(&self, number: usize) -> Result<&Plan, String> {
        self.plans.get(number).ok_or(format!("there is no plan {number}"))
    }

    pub fn run(&mut self, number: usize, inputs: &[Buffer], options: Options) -> Result<Results, String> {
        self.make_room(number)?;
        let plan = self.plan(number)?;
        let outputs = plan.outputs.iter().map(|&bytes| Buffer::new(bytes)).collect::<Result<Vec<_>, _>>()?;
        let times: Vec<AtomicU64> =
            (0..if options.timed { plan.len() } else { 0 }).map(|_| AtomicU64::new(0)).collect();
        let given = Given {
            arena: &self.arena,
            shared: &self.shared,
            own: &self.own,
            state: &self.state,
            inputs,
            outputs: &outputs,
        };
        let ended = plan.run(&self.team, &given, options.guarded, options.timed.then_some(&times[..]))?;
        Ok(Results { ended, outputs, times: times.iter().map(|t| t.load(Ordering::Relaxed)).collect() })
    }

    /// The memory that a plan needs is made at its first run, and serves every plan of the session.
    fn make_room(&mut self, number: usize) -> Result<(), String> {
        let (arena, scratch) = {
            let plan = self.plan(number)?;
            (plan.arena, plan.scratch)
        };
        let grow = |buffer: &mut Buffer, bytes: usize| {
            if buffer.bytes < bytes {
                *buffer = Buffer::new(0)?;
                *buffer = Buffer::new(bytes)?;
            }
            Ok::<(), String>(())
        };
        grow(&mut self.arena, arena)?;
        grow(&mut self.shared, scratch.shared)?;
        self.own.iter_mut().try_for_each(|own| grow(own, scratch.own))
    }
}
