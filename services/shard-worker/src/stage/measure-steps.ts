import type { StageOptions } from "./stage.js";
import { StepProbe } from "./step-probe.js";

/** What steps of so many decode rows take. */
export interface StepTime {
  readonly rows: number;
  /** One layer. */
  readonly layerMs: number;
  /** The head with the drawing of tokens; 0 on a shard without it. */
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
  try {
    const slice = Math.min(SLICE_LAYERS, probe.layers);
    await probe.time(1, slice, shard.heads); // threads and memory wake up
    const first = await sample(probe, { rows: 1, layers: slice, heads: shard.heads });
    const layers = stepTime(first).layerMs > SMALL_LAYER_MS ? slice : probe.layers;
    return (await sampleAll(probe, rows, { layers, heads: shard.heads })).map(stepTime);
  } finally {
    probe.close();
  }
}

interface Extent {
  readonly layers: number;
  readonly heads: boolean;
}

/** Milliseconds of a step over `layers` layers, and on the last stage of one over a layer and the head. */
interface Sample extends Extent {
  readonly rows: number;
  readonly layersMs: number;
  readonly headMs: number;
}

async function sampleAll(probe: StepProbe, rows: readonly number[], extent: Extent): Promise<readonly Sample[]> {
  const best = new Map<number, Sample>();
  const startedAt = performance.now();
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    for (const count of rows) {
      if (pass >= LEAST_PASSES && performance.now() - startedAt > ENOUGH_MS) return [...best.values()];
      const now = await sample(probe, { rows: count, ...extent });
      const { layersMs, headMs } = best.get(count) ?? now;
      best.set(count, { ...now, layersMs: Math.min(layersMs, now.layersMs), headMs: Math.min(headMs, now.headMs) });
    }
  }
  return [...best.values()];
}

async function sample(probe: StepProbe, { rows, layers, heads }: Extent & { readonly rows: number }): Promise<Sample> {
  const layersMs = await probe.time(rows, layers, false);
  const headMs = heads ? await probe.time(rows, 1, true) : 0;
  return { rows, layers, heads, layersMs, headMs };
}

function stepTime({ rows, layers, heads, layersMs, headMs }: Sample): StepTime {
  const layerMs = layersMs / layers;
  return { rows, layerMs, headMs: heads ? Math.max(0, headMs - layerMs) : 0 };
}
