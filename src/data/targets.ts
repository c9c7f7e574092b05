/** Rows of sources and of the targets that a decoder writes from them. */
import { type Nd, nd } from "../ir/index.js";

/** Rows of targets [B T]: what the decoder sees, its documents, what it is to say, and what of that is trained. */
export interface TargetFeeds {
  readonly decoderIds: Nd<"i32">;
  readonly decoderSegments: Nd<"i32">;
  readonly labels: Nd<"i32">;
  readonly weights: Nd<"f32">;
}

/** Empty rows of sources and targets. */
export function sourcesAndTargets([B, S, T]: readonly [B: number, S: number, T: number], pad: number) {
  return {
    ids: nd("i32", [B, S], pad),
    segments: nd("i32", [B, S], 0),
    decoderIds: nd("i32", [B, T], pad),
    decoderSegments: nd("i32", [B, T], 0),
    labels: nd("i32", [B, T], 0),
    weights: nd("f32", [B, T], 0),
  };
}

/** Write a target at a flat place: the decoder sees the start token and all of the target but its last. */
export function layTarget(
  feeds: TargetFeeds,
  target: readonly number[] | Int32Array,
  { at, segment, start }: { readonly at: number; readonly segment: number; readonly start: number },
): void {
  const end = at + target.length;
  feeds.labels.data.set(target, at);
  feeds.decoderIds.data[at] = start;
  feeds.decoderIds.data.set(feeds.labels.data.subarray(at, end - 1), at + 1);
  feeds.decoderSegments.data.fill(segment, at, end);
  feeds.weights.data.fill(1, at, end);
}
