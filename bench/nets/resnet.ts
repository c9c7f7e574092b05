/** ResNet-18 for small images (He et al. 2016), the network of the reference's resnet.py, as one training step. */
import {
  f32,
  i32,
  input,
  nameOf,
  nd,
  type Program,
  params,
  roots,
  Scope,
  scalar,
  type Tensor,
} from "../../src/ir/index.js";
import { batchNorm, conv2d, initialise, linear, randomStream } from "../../src/nn/index.js";
import { crossEntropy } from "../../src/ops/index.js";
import { sgd, training } from "../../src/optim/index.js";
import { integers, type Net } from "./net.js";

/** Channels and stride of each block of two convolutions. */
const blocks: readonly (readonly [channels: number, stride: number])[] = [
  [64, 1],
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
];

/** A network under construction: what batch norms keep running is gathered on the way. */
class Network {
  next: Record<string, Tensor> = {};

  /** Convolution and batch normalisation. */
  unit(
    p: Scope,
    name: string,
    x: Tensor,
    { channels, kernel, stride }: { channels: number; kernel: number; stride: number },
  ): Tensor {
    const side = (kernel - 1) / 2;
    const attrs = { kernel: [kernel, kernel], stride: [stride, stride], padding: [side, side], bias: false } as const;
    const { y, next } = batchNorm(p.at(`bn${name}`), conv2d(p.at(`conv${name}`), x, channels, attrs), {
      training: true,
    });
    this.next = { ...this.next, ...next };
    return y;
  }

  block(p: Scope, x: Tensor, channels: number, stride: number): Tensor {
    const inner = this.unit(p, "1", x, { channels, kernel: 3, stride }).relu();
    const y = this.unit(p, "2", inner, { channels, kernel: 3, stride: 1 });
    const same = stride === 1 && x.shape[1] === channels;
    const short = same ? x : this.unit(p.at("downsample"), "", x, { channels, kernel: 1, stride });
    return short.add(y).relu();
  }

  /** Images [N 3 H W] -> logits [N classes]. */
  forward(p: Scope, images: Tensor, classes: number): Tensor {
    let x = this.unit(p, "1", images, { channels: 64, kernel: 3, stride: 1 }).relu();
    blocks.forEach(([channels, stride], i) => {
      x = this.block(p.at(`blocks.${i}`), x, channels, stride);
    });
    return linear(p.at("fc"), x.mean([2, 3]), classes);
  }
}

/** One step of SGD with momentum 0.9 and weight decay 5e-4 on images [N 3 32 32]. */
export function resnet(batch: number): Net {
  const network = new Network();
  const logits = network.forward(new Scope(), input("images", f32([batch, 3, 32, 32])), 10);
  const [loss] = crossEntropy(logits, input("labels", i32([batch])));
  const objective = { sum: loss.sum(), count: scalar(batch) };
  const { step, state } = training(objective, sgd({ momentum: 0.9, weightDecay: 5e-4 }), { decays: () => true });
  const program: Program = { outputs: { loss: step.outputs["loss"]! }, next: { ...step.next, ...network.next } };
  const weights = params(roots(program)).filter((t) => !state.has(nameOf(t)));
  const random = randomStream(1, "images");
  const pixels = Array.from({ length: batch * 3 * 32 * 32 }, () => (random() - 0.5) * Math.sqrt(12));
  const data = {
    learningRate: nd("f32", [], 0.05),
    images: nd("f32", [batch, 3, 32, 32], pixels),
    labels: nd("i32", [batch], integers(batch, 10)),
  };
  return { program, state: new Map([...initialise(weights, 1), ...state]), data };
}

/** Six operations for each weight and place that a convolution is applied at, less the first one's gradient of the images. */
export function resnetGigaflops(batch: number): number {
  let [from, side] = [64, 32];
  const first = 9 * 3 * from * side * side;
  let products = first;
  for (const [channels, stride] of blocks) {
    side /= stride;
    const short = stride === 1 && channels === from ? 0 : from * channels;
    products += (9 * from * channels + 9 * channels * channels + short) * side * side;
    from = channels;
  }
  return (batch * (6 * (products + from * 10) - 2 * first)) / 1e9;
}
