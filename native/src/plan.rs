//! A plan: slots that name memory, and instructions in order; read once, checked once, run many times.
use crate::kernel::{Kernel, Scratch};
use crate::kernels::KERNELS;
use crate::memory::{Buffer, Memory};
use crate::reader::{Reader, Result, Slot};
use crate::team::{Team, Worker};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// First word of a plan: the format's name and version.
pub const MAGIC: u32 = 0x504c_0001;

/// Where a slot's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// From this byte of the arena on.
    Arena(usize),
    State(usize),
    Input(usize),
    Output(usize),
    /// From this byte of the plan's constants on.
    Constant(usize),
}

pub struct Plan {
    slots: Vec<(Place, usize)>,
    instructions: Vec<Box<dyn Kernel>>,
    /// The first instruction that writes the state: a run that was stopped before has changed nothing.
    commit: usize,
    /// Outputs that are single numbers, which all must be finite before the state is written, where a run asks for it.
    guards: Vec<usize>,
    constants: Buffer,
    pub arena: usize,
    pub scratch: Scratch,
    pub inputs: Vec<usize>,
    pub outputs: Vec<usize>,
}

/// What a run ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Done,
    Cancelled,
    /// A guarded output was not finite, and the state is as it was.
    Guarded,
}

/// What a run is given: memory for each kind of slot.
pub struct Given<'a> {
    pub arena: &'a Buffer,
    pub shared: &'a Buffer,
    pub own: &'a [Buffer],
    pub state: &'a [Option<Buffer>],
    pub inputs: &'a [Buffer],
    pub outputs: &'a [Buffer],
}

impl Plan {
    /// Read a plan for a team of `threads`. `Err` says what does not fit.
    pub fn read(words: &[u32], constants: &[u8], threads: usize) -> Result<Plan> {
        let mut r = Reader::new(words, &[]);
        if r.u32()? != MAGIC {
            return Err("these words are no plan, or one of another version".into());
        }
        let arena = r.wide()?;
        let slots = read_slots(&mut r, arena, constants.len())?;
        let sizes: Vec<Slot> = slots.iter().map(|&(_, bytes)| Slot { bytes }).collect();
        let count = r.count()?;
        let guards = r.list(count)?;
        let commit = r.usize()?;
        let count = r.count()?;
        let mut instructions = Vec::with_capacity(count);
        for number in 0..count {
            let kernel = r.usize()?;
            let length = r.usize()?;
            let (name, read) = KERNELS.get(kernel).ok_or(format!("there is no kernel {kernel}"))?;
            let mut part = r.part(length)?.over(&sizes);
            let found = read(&mut part).map_err(|e| format!("instruction {number}, {name}: {e}"))?;
            if !part.done() {
                return Err(format!("instruction {number}, {name}: words are left over"));
            }
            instructions.push(found);
        }
        if !r.done() || commit > instructions.len() {
            return Err("the plan does not end where it says".into());
        }
        let scratch = instructions.iter().fold(Scratch::default(), |all, i| all.max(i.scratch(threads)));
        let mut held = Buffer::new(constants.len())?;
        held.slice_mut().copy_from_slice(constants);
        let inputs = sizes_of(&slots, |p| if let Place::Input(i) = p { Some(i) } else { None })?;
        let outputs = sizes_of(&slots, |p| if let Place::Output(i) = p { Some(i) } else { None })?;
        if guards.iter().any(|&g| outputs.get(g) != Some(&4)) {
            return Err("a guard is no output of one number".into());
        }
        Ok(Plan { slots, instructions, commit, guards, constants: held, arena, scratch, inputs, outputs })
    }

    /// The instruction that a profile's time belongs to is its place in the plan.
    pub fn len(&self) -> usize {
        self.instructions.len()
    }
    pub fn is_empty(&self) -> bool {
        self.instructions.is_empty()
    }

    fn memory(&self, given: &Given) -> Result<Memory> {
        let find = |list: &[Buffer], i: usize, bytes: usize, what: &str| match list.get(i) {
            Some(b) if b.bytes == bytes => Ok(b.address()),
            Some(b) => Err(format!("{what} {i} has {} bytes, the plan needs {bytes}", b.bytes)),
            None => Err(format!("{what} {i} is missing")),
        };
        let address = |&(place, bytes): &(Place, usize)| match place {
            // SAFETY: the offset was checked against the arena's and the constants' sizes
            Place::Arena(at) => Ok(unsafe { given.arena.address().add(at) }),
            // SAFETY: as above
            Place::Constant(at) => Ok(unsafe { self.constants.address().add(at) }),
            Place::Input(i) => find(given.inputs, i, bytes, "input"),
            Place::Output(i) => find(given.outputs, i, bytes, "output"),
            Place::State(i) => match given.state.get(i) {
                Some(Some(b)) if b.bytes == bytes => Ok(b.address()),
                _ => Err(format!("the state has no value {i} of {bytes} bytes")),
            },
        };
        if given.arena.bytes < self.arena {
            return Err("the arena is too small".into());
        }
        let slots = self.slots.iter().map(address).collect::<Result<Vec<_>>>()?;
        Ok(Memory { slots, shared: given.shared.address(), own: given.own.iter().map(Buffer::address).collect() })
    }

    /// Run it. `times`, where given, takes the nanoseconds of each instruction.
    pub fn run(&self, team: &Team, given: &Given, guarded: bool, times: Option<&[AtomicU64]>) -> Result<Ended> {
        let memory = self.memory(given)?;
        let ended = Mutex::new(Ended::Done);
        team.run(&|worker: &Worker| {
            let result = self.carry_out(worker, &memory, given, (guarded, times));
            if worker.index == 0 {
                *ended.lock().expect("the lock is never held in a panic") = result;
            }
        })?;
        Ok(ended.into_inner().expect("the lock is never held in a panic"))
    }

    fn carry_out(&self, worker: &Worker, memory: &Memory, given: &Given, how: (bool, Option<&[AtomicU64]>)) -> Ended {
        let (guarded, times) = how;
        worker.barrier();
        // from barrier to barrier: a thread that comes late to an instruction finds little left to do
        let mut began = Instant::now();
        for (i, instruction) in self.instructions.iter().enumerate() {
            if i <= self.commit && worker.cancelled() {
                return Ended::Cancelled;
            }
            if i == self.commit && guarded && !self.finite(given) {
                return Ended::Guarded;
            }
            // SAFETY: `memory` holds the slots that the plan was checked against
            unsafe { instruction.run(memory, worker) };
            if let Some(times) = times.filter(|_| worker.index == 0) {
                let now = Instant::now();
                times[i].store((now - began).as_nanos() as u64, Ordering::Relaxed);
                began = now;
            }
        }
        Ended::Done
    }

    /// Every thread finds the same answer: the outputs are not written any more.
    fn finite(&self, given: &Given) -> bool {
        self.guards.iter().all(|&g| {
            // SAFETY: a guard is an output of four bytes
            unsafe { *given.outputs[g].address().cast::<f32>() }.is_finite()
        })
    }
}

fn read_slots(r: &mut Reader, arena: usize, constants: usize) -> Result<Vec<(Place, usize)>> {
    let count = r.count()?;
    (0..count)
        .map(|slot| {
            let (kind, bytes, at) = (r.u32()?, r.wide()?, r.wide()?);
            let within = |all: usize| at % 64 == 0 && at.checked_add(bytes).is_some_and(|end| end <= all);
            let place = match kind {
                0 if within(arena) => Place::Arena(at),
                1 => Place::State(at),
                2 => Place::Input(at),
                3 => Place::Output(at),
                4 if within(constants) => Place::Constant(at),
                _ => return Err(format!("slot {slot} of {bytes} bytes does not fit where it is said to be")),
            };
            Ok((place, bytes))
        })
        .collect()
}

/// The sizes of inputs or outputs, which are numbered from 0 without a gap.
fn sizes_of(slots: &[(Place, usize)], number: impl Fn(Place) -> Option<usize>) -> Result<Vec<usize>> {
    let mut found: Vec<(usize, usize)> = slots.iter().filter_map(|&(p, bytes)| Some((number(p)?, bytes))).collect();
    found.sort_unstable();
    found.dedup();
    if found.iter().enumerate().any(|(i, f)| f.0 != i) {
        return Err("inputs or outputs are not numbered in a row".into());
    }
    Ok(found.into_iter().map(|f| f.1).collect())
}
