import type { StageOptions } from "../stage/stage.js";
import { HeadProbe } from "./head-probe.js";
import { StepProbe } from "./step-probe.js";

/** What steps of so many decode rows take. */
export interface StepTime {
  readonly rows: number;
  /** One layer. */
  readonly layerMs: number;
  /** The head; 0 on a shard without it. */
  readonly headMs: number;
}

/** Layers that take longer than this for one row are timed by slices of a few, another slice each time: caches stay cold. */
const SMALL_LAYER_MS = 0.5;
const SLICE_LAYERS = 3;
/** The least of so many times counts: one alone may have met another process. More of them while it goes fast. */
const LEAST_PASSES = 3;
const MOST_PASSES = 6;
const ENOUGH_MS = 1000;

/**
 * Times decode steps of so many rows on a loaded shard: some seconds for half of a 7B model. Writes to pages that hold
 * nothing yet, leaving them finite; the stage that serves sees nothing of it. Throws what Stage.run throws.
 */
export async function measureSteps(shard: StageOptions, rows: readonly number[]): Promise<readonly StepTime[]> {
  const probe = new StepProbe(shard);
  const head = shard.heads ? new HeadProbe(shard) : null;
  try {
    const slice = Math.min(SLICE_LAYERS, probe.layers);
    await probe.time(1, slice); // threads and memory wake up
    const layers = (await probe.time(1, slice)) / slice > SMALL_LAYER_MS ? slice : probe.layers;
    const layersMs = await leastTimes(rows, (count) => probe.time(count, layers));
    const headMs = head === null ? null : await leastTimes(rows, (count) => head.time(count));
    return rows.map((count) => ({
      rows: count,
      layerMs: (layersMs.get(count) ?? 0) / layers,
      headMs: headMs?.get(count) ?? 0,
    }));
  } finally {
    head?.close();
    probe.close();
  }
}

/** The least milliseconds that `time` takes, by rows. */
async function leastTimes(
  rows: readonly number[],
  time: (rows: number) => Promise<number>,
): Promise<Map<number, number>> {
  const best = new Map<number, number>();
  const startedAt = performance.now();
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    if (pass >= LEAST_PASSES && performance.now() - startedAt > ENOUGH_MS) break;
    for (const count of rows) {
      best.set(count, Math.min(best.get(count) ?? Number.POSITIVE_INFINITY, await time(count)));
    }
  }
  return best;
}
