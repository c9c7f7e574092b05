//! What Node sees: a session whose runs are carried out on threads of their own.
use crate::kernels::KERNELS;
use crate::kernels::map::OPS;
use crate::memory::Buffer;
use crate::plan::Ended;
use crate::session::{Options, Results, Session as Core};
use crate::team::Cancel;
use napi::bindgen_prelude::{AsyncTask, Uint8Array, Uint32Array};
use napi::{Env, Error, Task};
use napi_derive::napi;
use std::sync::{Arc, Mutex, MutexGuard};

type Shared = Arc<Mutex<Option<Core>>>;

fn error(text: String) -> Error {
    Error::from_reason(text)
}
fn lock(core: &Shared) -> MutexGuard<'_, Option<Core>> {
    core.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
fn with<T>(core: &Shared, f: impl FnOnce(&mut Core) -> Result<T, String>) -> napi::Result<T> {
    match &mut *lock(core) {
        Some(core) => f(core).map_err(error),
        None => Err(error("the session is closed".into())),
    }
}

/// The version of the package that this was built for.
#[napi]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}

/// Names of the kernels; a plan names one by its place here.
#[napi]
pub fn kernels() -> Vec<String> {
    KERNELS.iter().map(|(name, _)| (*name).into()).collect()
}

/// Names of the register machine's instructions, in the same way.
#[napi]
pub fn ops() -> Vec<String> {
    OPS.iter().map(|name| (*name).into()).collect()
}

/// The instruction set that kernels use here.
#[napi]
pub fn features() -> String {
    crate::simd::Simd::best().name().into()
}

/// Single-precision operations a second of `threads` threads, measured, in thousands of millions.
#[napi]
pub fn peak(threads: u32) -> f64 {
    crate::gemm::peak(threads as usize)
}

#[napi]
pub struct Session {
    core: Shared,
    cancel: Cancel,
}

/// What a plan needs: bytes of memory beside the state.
#[napi(object)]
pub struct Loaded {
    pub id: u32,
    pub bytes: f64,
}

/// What a run gave. `ended` is "done", "cancelled" or "guarded".
#[napi(object)]
pub struct Run {
    pub ended: String,
    pub outputs: Vec<Uint8Array>,
    pub nanoseconds: Vec<f64>,
}

#[napi]
impl Session {
    #[napi(constructor)]
    pub fn new(threads: u32) -> napi::Result<Session> {
        let core = Core::new(threads as usize).map_err(error)?;
        let cancel = core.cancel();
        Ok(Session { core: Arc::new(Mutex::new(Some(core))), cancel })
    }

    #[napi]
    pub fn write(&self, number: u32, bytes: Uint8Array) -> napi::Result<()> {
        with(&self.core, |core| core.write(number as usize, &bytes))
    }

    #[napi]
    pub fn fill(&self, number: u32, total: f64, offset: f64, bytes: Uint8Array) -> napi::Result<()> {
        with(&self.core, |core| core.fill(number as usize, total as usize, offset as usize, &bytes))
    }

    #[napi]
    pub fn read(&self, number: u32) -> napi::Result<Uint8Array> {
        with(&self.core, |core| Ok(Uint8Array::from(core.read(number as usize)?.to_vec())))
    }

    #[napi]
    pub fn load(&self, words: Uint32Array, constants: Uint8Array) -> napi::Result<Loaded> {
        with(&self.core, |core| {
            let id = core.load(&words, &constants)?;
            let plan = core.plan(id)?;
            let bytes = plan.arena + plan.scratch.shared + plan.scratch.own * core.threads();
            Ok(Loaded { id: id as u32, bytes: bytes as f64 })
        })
    }

    /// Run a plan; the inputs are copied before this returns.
    #[napi(ts_return_type = "Promise<Run>")]
    pub fn run(
        &self,
        id: u32,
        inputs: Vec<Uint8Array>,
        guarded: bool,
        timed: bool,
    ) -> napi::Result<AsyncTask<Running>> {
        self.cancel.set(false);
        let copy = |bytes: &Uint8Array| {
            let mut buffer = Buffer::new(bytes.len())?;
            buffer.slice_mut().copy_from_slice(bytes);
            Ok(buffer)
        };
        let inputs = inputs.iter().map(copy).collect::<Result<Vec<_>, String>>().map_err(error)?;
        let options = Options { guarded, timed };
        Ok(AsyncTask::new(Running { core: self.core.clone(), id: id as usize, inputs, options }))
    }

    /// Stop the run in progress at its next instruction, unless it is writing the state already.
    #[napi]
    pub fn cancel(&self) {
        self.cancel.set(true);
    }

    /// Give back memory and threads.
    #[napi]
    pub fn close(&self) {
        *lock(&self.core) = None;
    }
}

/// A buffer as an array of Node's, without a copy.
fn handed_over(buffer: Buffer) -> Uint8Array {
    let (address, bytes) = (buffer.address(), buffer.bytes);
    // SAFETY: the buffer lives until Node collects the array
    unsafe { Uint8Array::with_external_data(address, bytes, move |_, _| drop(buffer)) }
}

pub struct Running {
    core: Shared,
    id: usize,
    inputs: Vec<Buffer>,
    options: Options,
}

impl Task for Running {
    type Output = Results;
    type JsValue = Run;

    fn compute(&mut self) -> napi::Result<Results> {
        with(&self.core, |core| core.run(self.id, &self.inputs, self.options))
    }

    fn resolve(&mut self, _: Env, results: Results) -> napi::Result<Run> {
        let ended = match results.ended {
            Ended::Done => "done",
            Ended::Cancelled => "cancelled",
            Ended::Guarded => "guarded",
        };
        let outputs = results.outputs.into_iter().map(handed_over).collect();
        Ok(Run { ended: ended.into(), outputs, nanoseconds: results.times.iter().map(|&t| t as f64).collect() })
    }
}
