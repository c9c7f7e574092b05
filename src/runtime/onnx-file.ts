/** An ONNX file as other programs run it: what an export is held to. */
import { arrayOf, type Dtype, fail, type Nd } from "../ir/index.js";

export interface OnnxFile {
  readonly inputs: readonly string[];
  /** Sizes of the inputs' axes, or their names. */
  readonly shapes: Readonly<Record<string, readonly (number | string)[]>>;
  run(feeds: Readonly<Record<string, Nd>>): Promise<Readonly<Record<string, Nd>>>;
  close(): Promise<void>;
}

const types = { float32: "f32", int32: "i32", int64: "i64", bool: "bool" } as const;
const names = new Map(Object.entries(types).map(([name, dtype]): [Dtype, string] => [dtype, name]));

/** Open a file in ONNX Runtime. Throws `engine` where it does not load, or the package is missing. */
export async function openOnnxFile(path: string): Promise<OnnxFile> {
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const session = await InferenceSession.create(path).catch((error: Error) => {
    throw fail("engine", `ONNX Runtime does not load the file: ${error.message}`, undefined, path);
  });
  return {
    inputs: session.inputNames,
    shapes: Object.fromEntries(session.inputMetadata.map((meta) => [meta.name, meta.isTensor ? meta.shape : []])),
    async run(feeds) {
      const given = Object.entries(feeds).map(([name, { dtype, shape, data }]) => [
        name,
        new Tensor(names.get(dtype) as "float32", data as Float32Array, shape),
      ]);
      const results = await session.run(Object.fromEntries(given));
      return Object.fromEntries(
        Object.entries(results).map(([name, t]) => {
          const dtype = types[t.type as keyof typeof types];
          const data = t.data as Float32Array;
          return [name, { dtype, shape: t.dims, data: arrayOf(dtype, data.length, data.buffer, data.byteOffset) }];
        }),
      );
    },
    close: () => session.release(),
  };
}
