import type { ActivationTypeName } from "@rhone/common";
import { type LinkTime, type PredictedStage, predict } from "@rhone/planner";

/** What goes from worker to worker. */
export interface PlannedActivations {
  readonly type: ActivationTypeName;
  /** Bytes of one row: of a token, on each hop. */
  readonly bytes: number;
  /** Bytes per second of the link between workers that predictions count; null: none. */
  readonly link: number | null;
  /** A smaller type that is clearly faster on this link, with its speed over this type's by number of streams. */
  readonly smaller: SmallerType | null;
}

interface SmallerType {
  readonly type: ActivationTypeName;
  readonly bytes: number;
  readonly gains: readonly number[];
}

export interface ActivationRequest {
  readonly stages: readonly PredictedStage[];
  /** Numbers of streams to predict for. */
  readonly streams: readonly number[];
  readonly type: ActivationTypeName;
  readonly bytes: number;
  readonly link: number | null;
}

/** Bytes of a number, as a share of the 4 of f32; the most exact type first. */
const SHARES: Readonly<Record<ActivationTypeName, number>> = { f32: 1, f16: 1 / 2, q8_0: 34 / 128 };
const Q8_BLOCK = 32;
/** A smaller gain is not worth the rounding, after which answers depend on where the layers are cut. */
const WORTH_ROUNDING = 1.05;

/** Milliseconds of a step's activations on the link; no time without one. */
export const linkTime =
  ({ bytes, link }: Pick<ActivationRequest, "bytes" | "link">): LinkTime =>
  (rows) =>
    link === null ? 0 : (1000 * rows * bytes) / link;

export function planActivations(request: ActivationRequest): PlannedActivations {
  const { type, bytes, link } = request;
  return { type, bytes, link, smaller: link === null ? null : smallerType(request) };
}

/** The most exact of the smaller types that is clearly faster, unless one that rounds more is clearly faster still. */
function smallerType({ stages, streams, type, bytes, link }: ActivationRequest): SmallerType | null {
  const f32Bytes = bytes / SHARES[type];
  const speedsWith = (rowBytes: number) =>
    streams.map((count) => predict(stages, count, linkTime({ bytes: rowBytes, link })).tokensPerSecond);
  const now = speedsWith(bytes);
  const names = Object.keys(SHARES) as ActivationTypeName[];
  const possible = names.filter((name) => name !== "q8_0" || (f32Bytes / 4) % Q8_BLOCK === 0);
  let [best, bestSpeeds]: [SmallerType | null, readonly number[]] = [null, now];
  for (const name of possible.filter((each) => SHARES[each] < SHARES[type])) {
    const speeds = speedsWith(f32Bytes * SHARES[name]);
    if (!speeds.some((speed, index) => speed >= WORTH_ROUNDING * (bestSpeeds[index] ?? speed))) continue;
    const gains = speeds.map((speed, index) => speed / (now[index] ?? speed));
    [best, bestSpeeds] = [{ type: name, bytes: f32Bytes * SHARES[name], gains }, speeds];
  }
  return best;
}
