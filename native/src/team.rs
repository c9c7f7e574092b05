//! A team of threads that carry out one plan together: every thread makes the same calls, and they meet at barriers.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// One thread of a team at work.
pub struct Worker<'a> {
    pub index: usize,
    pub count: usize,
    shared: &'a Shared,
}

impl Worker<'_> {
    /// Tasks `0..tasks`, each done once, then a barrier. A thread begins with a share of its own, the same one each time, so that
    /// it finds in its cache what it wrote there before; then it takes what others have not come to. What a task does may not
    /// depend on who does it.
    pub fn each(&self, tasks: usize, mut f: impl FnMut(usize)) {
        if self.count == 1 {
            return (0..tasks).for_each(f);
        }
        for turn in 0..self.count {
            let whose = (self.index + turn) % self.count;
            let (first, end) = (whose * tasks / self.count, (whose + 1) * tasks / self.count);
            let taken = &self.shared.taken[whose].0;
            loop {
                let task = first + taken.fetch_add(1, Ordering::Relaxed);
                if task >= end {
                    break;
                }
                f(task);
            }
        }
        self.barrier();
    }

    /// Done by one thread, then a barrier.
    pub fn once(&self, f: impl FnOnce()) {
        if self.index == 0 {
            f();
        }
        self.barrier();
    }

    /// Wait until every thread of the team is here. The last one resets what `each` counts with.
    pub fn barrier(&self) {
        let s = self.shared;
        if self.count == 1 {
            return s.stop.store(s.cancel.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let generation = s.generation.load(Ordering::Relaxed);
        if s.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.count {
            s.arrived.store(0, Ordering::Relaxed);
            s.none_taken();
            s.stop.store(s.cancel.load(Ordering::Relaxed), Ordering::Relaxed);
            s.generation.store(generation.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut turns = 0u32;
        while s.generation.load(Ordering::Acquire) == generation {
            // another thread panicked and will never arrive
            assert!(!s.broken.load(Ordering::Relaxed), "another thread failed");
            turns += 1;
            if turns < 4096 {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// Refuse what the run was given: it ends at the next instruction, with this message.
    pub fn fail(&self, message: String) {
        *self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
        self.shared.cancel.store(true, Ordering::Relaxed);
    }

    /// Whether the run was cancelled, as of the last barrier: the same answer on every thread.
    pub fn cancelled(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }
}

type Job = *const (dyn Fn(&Worker) + Sync);

/// A count on a line of its own: threads that add to different ones do not wait for each other.
#[repr(align(128))]
struct Count(AtomicUsize);

struct Shared {
    /// Tasks of each thread's share that somebody has taken.
    taken: Vec<Count>,
    arrived: AtomicUsize,
    generation: AtomicU32,
    cancel: AtomicBool,
    /// `cancel` as the last barrier saw it.
    stop: AtomicBool,
    broken: AtomicBool,
    finished: AtomicUsize,
    /// Why a kernel refused what it was given.
    failure: Mutex<Option<String>>,
    posted: Mutex<Posted>,
    wake: Condvar,
}

impl Shared {
    fn none_taken(&self) {
        self.taken.iter().for_each(|n| n.0.store(0, Ordering::Relaxed));
    }
}

struct Posted {
    number: u64,
    job: Option<Job>,
    closed: bool,
}
// SAFETY: the job is borrowed by `Team::run`, which returns only after every thread has let go of it.
unsafe impl Send for Posted {}

/// The threads beside the caller's own, which is one of the team.
pub struct Team {
    pub threads: usize,
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
}

impl Team {
    pub fn new(threads: usize) -> Team {
        let shared = Arc::new(Shared {
            taken: (0..threads).map(|_| Count(AtomicUsize::new(0))).collect(),
            arrived: AtomicUsize::new(0),
            generation: AtomicU32::new(0),
            cancel: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            finished: AtomicUsize::new(0),
            failure: Mutex::new(None),
            posted: Mutex::new(Posted { number: 0, job: None, closed: false }),
            wake: Condvar::new(),
        });
        let handles = (1..threads)
            .map(|index| {
                let shared = shared.clone();
                std::thread::spawn(move || serve(index, threads, &shared))
            })
            .collect();
        Team { threads, shared, handles }
    }

    /// Every thread calls `f`; returns when all have returned. An `Err` is a panic's message; the team can be used again.
    pub fn run(&self, f: &(dyn Fn(&Worker) + Sync)) -> Result<(), String> {
        let s = &*self.shared;
        s.none_taken();
        s.arrived.store(0, Ordering::Relaxed);
        s.broken.store(false, Ordering::Relaxed);
        s.stop.store(false, Ordering::Relaxed);
        s.finished.store(0, Ordering::Relaxed);
        {
            let mut posted = s.posted.lock().expect("the lock is never held in a panic");
            posted.number += 1;
            // SAFETY: the lifetime is erased, and kept: every thread has finished with `f` before this returns
            posted.job = Some(unsafe { std::mem::transmute::<*const (dyn Fn(&Worker) + Sync), Job>(f) });
            s.wake.notify_all();
        }
        let own = attempt(0, self.threads, s, f);
        while s.finished.load(Ordering::Acquire) + 1 < self.threads {
            std::thread::yield_now();
        }
        s.posted.lock().expect("the lock is never held in a panic").job = None;
        let refused = s.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        match own.and(refused.map_or(Ok(()), Err)) {
            Err(message) => Err(message),
            Ok(()) if s.broken.load(Ordering::Relaxed) => Err("a thread of the team failed".into()),
            Ok(()) => Ok(()),
        }
    }

    /// A handle that cancels the run in progress from any thread; `clear` it before a run.
    pub fn cancel(&self) -> Cancel {
        Cancel(self.shared.clone())
    }
}

#[derive(Clone)]
pub struct Cancel(Arc<Shared>);
impl Cancel {
    pub fn set(&self, value: bool) {
        self.0.cancel.store(value, Ordering::Relaxed);
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        if let Ok(mut posted) = self.shared.posted.lock() {
            posted.closed = true;
            self.shared.wake.notify_all();
        }
        for handle in self.handles.drain(..) {
            let _ = handle.join();
        }
    }
}

fn serve(index: usize, count: usize, shared: &Shared) {
    let mut done = 0;
    loop {
        let job = {
            let mut posted = shared.posted.lock().expect("the lock is never held in a panic");
            while posted.number == done && !posted.closed {
                posted = shared.wake.wait(posted).expect("the lock is never held in a panic");
            }
            if posted.closed {
                return;
            }
            done = posted.number;
            posted.job
        };
        if let Some(job) = job {
            // SAFETY: `Team::run` waits for `finished` before its borrow ends
            let _ = attempt(index, count, shared, unsafe { &*job });
        }
        shared.finished.fetch_add(1, Ordering::Release);
    }
}

fn attempt(index: usize, count: usize, shared: &Shared, f: &(dyn Fn(&Worker) + Sync)) -> Result<(), String> {
    let flush = crate::denormals::Flush::on();
    let result = catch_unwind(AssertUnwindSafe(|| f(&Worker { index, count, shared })));
    drop(flush);
    result.map_err(|payload| {
        shared.broken.store(true, Ordering::Relaxed);
        let text = payload.downcast_ref::<&str>().map(|s| (*s).to_string());
        text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a kernel failed".into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once_whoever_does_it() {
        let team = Team::new(3);
        for _ in 0..50 {
            let done: Vec<AtomicUsize> = (0..100).map(|_| AtomicUsize::new(0)).collect();
            team.run(&|w| {
                w.each(60, |i| {
                    done[i].fetch_add(1, Ordering::Relaxed);
                });
                w.each(40, |i| {
                    done[60 + i].fetch_add(1, Ordering::Relaxed);
                });
            })
            .unwrap();
            assert!(done.iter().all(|n| n.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn a_panic_in_one_thread_ends_the_run_and_not_the_team() {
        let team = Team::new(2);
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        for failing in 0..2 {
            let failed = team.run(&|w| {
                assert!(w.index != failing, "on purpose");
                w.barrier();
            });
            assert!(failed.is_err());
        }
        std::panic::set_hook(hook);
        team.run(&|w| w.barrier()).unwrap();
    }
}
