/**
 * The ort engine's worker thread: it holds the state and the compiled programs, and answers one request at a time.
 * Plain JavaScript, so that Node runs the same file from the sources and from the build.
 *
 * @typedef {import("./ort-protocol.js").Request} Request
 * @typedef {import("./ort-protocol.js").Loaded} Loaded
 * @typedef {import("../ir/index.js").Nd} Nd
 * @typedef {import("onnxruntime-node").Tensor} OrtTensor
 * @typedef {{ session: import("onnxruntime-node").InferenceSession, load: Loaded }} Compiled
 */
import { parentPort, workerData } from "node:worker_threads";

const port = /** @type {import("node:worker_threads").MessagePort} */ (parentPort);
/** @type {Record<import("../ir/index.js").Dtype, string>} */
const ortTypes = {
  f32: "float32",
  f16: "float16",
  bf16: "bfloat16",
  i32: "int32",
  i64: "int64",
  u32: "uint32",
  bool: "bool",
};
const arrays = {
  f32: Float32Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  i32: Int32Array,
  i64: BigInt64Array,
  u32: Uint32Array,
  bool: Uint8Array,
};

/** @type {typeof import("onnxruntime-node")} */
let ort;
/** @type {Map<string, OrtTensor>} */
const state = new Map();
/**
 * The buffer that a state value's next one is written to; the two change places after a run.
 * @type {Map<string, OrtTensor>}
 */
const spare = new Map();
/** @type {Map<number, Compiled>} */
const programs = new Map();

/** @type {{ [K in Request["kind"]]: (request: Extract<Request, { kind: K }>) => Promise<unknown> }} */
const answers = {
  async start() {
    const loaded = await import(workerData.module);
    ort = loaded.default ?? loaded;
    return ort.env.versions.node ?? ort.env.versions.common;
  },
  async write({ name, value }) {
    state.set(name, tensor(value));
    spare.delete(name);
  },
  async read({ name, dtype }) {
    const found = /** @type {OrtTensor} */ (state.get(name));
    return { dtype, shape: found.dims, data: copy(found, dtype) };
  },
  async load({ id, load, threads }) {
    const session = await ort.InferenceSession.create(load.bytes, {
      executionProviders: ["cpu"],
      ...(threads ? { intraOpNumThreads: threads } : {}),
      graphOptimizationLevel: "all",
      logSeverityLevel: 4,
      extra: {
        session: {
          // a vanishing gradient in denormal numbers is tens of times slower and no more exact
          set_denormal_as_zero: "1",
          // a thread out of work looks for more for this long before it sleeps; by default it hardly ever sleeps within a
          // step, which on a shared machine is time that nobody else gets
          intra_op: { spin_duration_us: "1000" },
        },
      },
    });
    programs.set(id, { session, load });
  },
  async run({ id, feeds, guarded }) {
    const { session, load } = /** @type {Compiled} */ (programs.get(id));
    /** @type {Record<string, OrtTensor>} */
    const given = {};
    for (const name of load.params) given[name] = /** @type {OrtTensor} */ (state.get(name));
    for (const [name, value] of Object.entries(feeds)) given[name] = tensor(value);
    /** @type {Record<string, OrtTensor | null>} */
    const wanted = {};
    for (const { result } of load.outputs) wanted[result] = null;
    for (const { name, result, type } of load.next) wanted[result] = buffer(name, type);
    const results = await session.run(given, wanted);
    /** @type {Record<string, Nd>} */
    const outputs = {};
    for (const { name, result, type } of load.outputs)
      outputs[name] = { ...type, data: copy(/** @type {OrtTensor} */ (results[result]), type.dtype) };
    if (guarded && !isSound(outputs)) return outputs;
    for (const { name, result } of load.next) {
      const old = state.get(name);
      state.set(name, /** @type {OrtTensor} */ (results[result]));
      if (old) spare.set(name, old);
    }
    return outputs;
  },
  async close() {
    for (const { session } of programs.values()) await session.release();
    programs.clear();
    state.clear();
    spare.clear();
  },
};

/** As `isSound` of check.ts, which this file cannot import. @param {Readonly<Record<string, Nd>>} outputs */
const isSound = (outputs) =>
  Object.values(outputs).every((x) => x.dtype !== "f32" || x.shape.length > 0 || Number.isFinite(x.data[0]));

/** @param {Nd} value @returns {OrtTensor} */
const tensor = ({ dtype, shape, data }) =>
  new ort.Tensor(/** @type {"float32"} */ (ortTypes[dtype]), /** @type {Float32Array} */ (data), shape);

/**
 * Where the next value of `name` is written: its spare buffer if that is of the type.
 * @param {string} name @param {import("../ir/index.js").Type} type @returns {OrtTensor}
 */
function buffer(name, { dtype, shape }) {
  const old = spare.get(name);
  if (
    old &&
    old.type === ortTypes[dtype] &&
    old.dims.length === shape.length &&
    old.dims.every((n, i) => n === shape[i])
  )
    return old;
  const length = shape.reduce((a, b) => a * b, 1);
  return tensor({ dtype, shape, data: new arrays[dtype](length) });
}

/**
 * A tensor's elements in memory that may leave this thread.
 * @param {OrtTensor} found @param {import("../ir/index.js").Dtype} dtype @returns {Nd["data"]}
 */
function copy(found, dtype) {
  const { buffer, byteOffset, length } = /** @type {Float32Array} */ (found.data);
  return new arrays[dtype](/** @type {ArrayBuffer} */ (buffer), byteOffset, length).slice();
}

/** Every array of a reply, to be moved and not copied. @param {unknown} value @returns {ArrayBuffer[]} */
const buffers = (value) =>
  ArrayBuffer.isView(value)
    ? [/** @type {ArrayBuffer} */ (value.buffer)]
    : value && typeof value === "object"
      ? Object.values(value).flatMap(buffers)
      : [];

/** @param {Request} request */
async function answer(request) {
  const handle = /** @type {(request: Request) => Promise<unknown>} */ (answers[request.kind]);
  try {
    const value = await handle(request);
    port.postMessage({ ticket: request.ticket, value }, [...new Set(buffers(value))]);
  } catch (e) {
    port.postMessage({ ticket: request.ticket, error: e instanceof Error ? e.message : String(e) });
  }
  if (request.kind === "close") port.close();
}

let queue = Promise.resolve();
port.on("message", (/** @type {Request} */ request) => {
  queue = queue.then(() => answer(request));
});
