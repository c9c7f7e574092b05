/** What bench/step measures: each work's network, its PyTorch counterpart, and what plinth's native engine is to reach. */
import { type EncoderSizes, encoder, encoderGigaflops } from "../nets/encoder.js";
import { type GptSizes, gpt, gptGigaflops } from "../nets/gpt.js";
import type { Net } from "../nets/net.js";
import { resnet, resnetGigaflops } from "../nets/resnet.js";

export interface Work {
  readonly what: string;
  readonly net: () => Net;
  /** Of one step's matrix products. */
  readonly gigaflops: number;
  /** Most bytes that a step's values may take on the native engine: what does not fit is computed twice. */
  readonly memory?: number;
  /** Steps of one process; fewer where one takes seconds. */
  readonly steps: number;
  /** The script in the folder of references, its environment, and the settings of which the fastest counts. */
  readonly torch: {
    readonly script: string;
    readonly env: Readonly<Record<string, string>>;
    readonly settings: Readonly<Record<string, Readonly<Record<string, string>>>>;
  };
  /** The sizes under which gpt.mjs, the same step as one hand-written ONNX graph, is measured beside. */
  readonly graph?: string;
  /** At most so much of PyTorch's time and memory, at least that share of the measured peak. */
  readonly limits: { readonly time: number; readonly memory?: number; readonly share?: number };
}

const settings = { torch: {}, "torch compiled": { COMPILE: "1" } };

function ofGpt(sizes: GptSizes, steps: number, limits: Work["limits"]): Work {
  const { batch, contextLength, hiddenSize, layers, heads, vocabSize } = sizes;
  const graph = [batch, contextLength, hiddenSize, layers, heads, vocabSize].join();
  return {
    what: `GPT, ${layers} layers, ${hiddenSize} wide, ${heads} heads, ${vocabSize} tokens; ${batch} × ${contextLength}`,
    net: () => gpt(sizes),
    gigaflops: gptGigaflops(sizes),
    steps,
    torch: { script: "gpt.py", env: { CFG: graph, FUSED: "1" }, settings },
    graph,
    limits,
  };
}

const minilm = { batch: 32, length: 128, hiddenSize: 384, layers: 6, heads: 12, vocabSize: 30_522, classes: 2 };

function ofEncoder(sizes: EncoderSizes, steps: number, limits: Work["limits"]): Work {
  const { batch, length, hiddenSize, layers, heads, vocabSize, classes, rank } = sizes;
  const config = [batch, length, hiddenSize, layers, heads, vocabSize, classes].join();
  const learning = rank === undefined ? "" : `, LoRA of rank ${rank} on query and value`;
  return {
    what: `encoder, ${layers} layers, ${hiddenSize} wide, ${heads} heads, ${classes} classes${learning}; ${batch} × ${length}`,
    net: () => encoder(sizes),
    gigaflops: encoderGigaflops(sizes),
    steps,
    torch: { script: "encoder.py", env: { CFG: config, LORA: `${rank ?? 0}`, STEPS: `${steps}` }, settings },
    limits,
  };
}

export const works: Readonly<Record<string, Work>> = {
  "gpt-12m": ofGpt({ batch: 4, contextLength: 256, hiddenSize: 384, layers: 6, heads: 6, vocabSize: 4096 }, 12, {
    time: 0.75,
    share: 0.65,
  }),
  "gpt-1m": ofGpt({ batch: 32, contextLength: 128, hiddenSize: 128, layers: 4, heads: 4, vocabSize: 1024 }, 16, {
    time: 0.6,
  }),
  gpt2: {
    ...ofGpt({ batch: 2, contextLength: 512, hiddenSize: 768, layers: 12, heads: 12, vocabSize: 50_257 }, 6, {
      time: 0.8,
      memory: 0.7,
      share: 0.7,
    }),
    memory: 560e6,
  },
  encoder: ofEncoder(minilm, 8, { time: 0.75 }),
  "encoder-lora": { ...ofEncoder({ ...minilm, rank: 8 }, 8, { time: 0.75, memory: 0.5 }), memory: 460e6 },
  resnet: {
    what: "ResNet-18, images of 32 × 32, SGD with momentum; 64",
    net: () => resnet(64),
    gigaflops: resnetGigaflops(64),
    steps: 8,
    torch: {
      script: "resnet.py",
      env: { BATCH: "64", STEPS: "8" },
      settings: {
        ...settings,
        "torch channels-last": { CHANNELS_LAST: "1" },
        "torch channels-last compiled": { CHANNELS_LAST: "1", COMPILE: "1" },
      },
    },
    limits: { time: 0.85 },
  },
};
