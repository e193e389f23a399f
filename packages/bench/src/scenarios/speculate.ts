import { randomInt } from "node:crypto";
import { fetchStatus } from "@rhone/client";
import { RandomPrompts, RepeatingPrompts } from "../load/prompts.js";
import type { BenchTarget } from "../measure/bench-target.js";
import { measurePoint } from "../measure/measure-point.js";
import { count, counts, type ValuesOf } from "../options.js";
import type { Table } from "../report/tables.js";
import { type BenchContext, defineScenario } from "../scenario.js";

export interface SpeculatePoint {
  readonly concurrency: number;
  /** Most drafts per sequence and step; 0 = no speculation. */
  readonly drafts: number;
  readonly decodeTokensPerSecond: number;
  /** decodeTokensPerSecond over the rate without speculation. */
  readonly ratio: number;
  /** Share of the drafted tokens that the model accepted; null when there were no drafts. */
  readonly accepted: number | null;
}

export interface SpeculateFigures {
  readonly points: readonly SpeculatePoint[];
}

type Measured = Omit<SpeculatePoint, "ratio">;

const options = {
  concurrency: counts("streams at once", [1, 2, 4, 8], "c"),
  drafts: counts("most tokens drafted per step", [4, 8]),
  promptTokens: count("tokens of each prompt", 96),
  maxTokens: count("tokens that each stream generates", 64),
  times: count("repetitions within a prompt", 3),
};

/** What prompt lookup gains on texts that repeat themselves. */
export const speculate = defineScenario({
  name: "speculate",
  description: "texts that repeat themselves, with and without speculation; needs --spawn and a trained model",
  examples: [
    { flags: "--spawn --model FILE", about: "with 0, 4 and 8 drafts a step" },
    { flags: "--spawn --model FILE -c 1 --drafts 2,16", about: "one stream, other drafts" },
  ],
  options,
  run: async (context, values) => {
    const measured = [...(await measureWith(context, 0, values))];
    for (const drafts of values.drafts) measured.push(...(await measureWith(context, drafts, values)));
    const plain = new Map(measured.filter(({ drafts }) => drafts === 0).map((point) => [point.concurrency, point]));
    const points = measured.map((point) => {
      const without = plain.get(point.concurrency)?.decodeTokensPerSecond ?? Number.NaN;
      return { ...point, ratio: point.decodeTokensPerSecond / without };
    });
    return { figures: { points } satisfies SpeculateFigures, report: [tableOf(points)] };
  },
});

function measureWith(
  context: BenchContext,
  drafts: number,
  values: ValuesOf<typeof options>,
): Promise<readonly Measured[]> {
  const measure = async (target: BenchTarget): Promise<readonly Measured[]> => {
    const { vocabSize } = target.status.model;
    const prompts = new RepeatingPrompts(new RandomPrompts({ vocabSize, seed: randomInt(2 ** 32) }), values.times);
    const points: Measured[] = [];
    for (const concurrency of values.concurrency) {
      const before = await tokensOf(target, context.signal);
      const { decodeTokensPerSecond } = await measurePoint(target, { ...values, concurrency, cache: false, prompts });
      const after = await tokensOf(target, context.signal);
      const drafted = after.drafted - before.drafted;
      const accepted = drafted === 0 ? null : (after.accepted - before.accepted) / drafted;
      points.push({ concurrency, drafts, decodeTokensPerSecond, accepted });
      context.note(`${concurrency} streams, ${drafts} drafts: ${decodeTokensPerSecond.toFixed(1)} tokens/s`);
    }
    return points;
  };
  return context.withCluster(measure, { speculate: drafts });
}

async function tokensOf({ url, status }: BenchTarget, signal: AbortSignal) {
  const { coordinators } = await fetchStatus(url, { signal });
  return (coordinators.find(({ startedAtMs }) => startedAtMs === status.startedAtMs) ?? status).tokens;
}

const tableOf = (points: readonly SpeculatePoint[]): Table => ({
  heading: ["STREAMS", "DRAFTS", "DECODE t/s", "RATIO", "ACCEPTED"],
  rows: points.map(({ concurrency, drafts, decodeTokensPerSecond, ratio, accepted }) => [
    String(concurrency),
    String(drafts),
    decodeTokensPerSecond.toFixed(1),
    ratio.toFixed(2),
    accepted === null ? "" : `${(100 * accepted).toFixed(0)} %`,
  ]),
});
