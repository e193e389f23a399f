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
/** The rows are gone through again, for the least of several times, until so long has passed or so often. */
const ENOUGH_MS = 600;
const MOST_PASSES = 4;

/**
 * Times decode steps of so many rows on a loaded shard: about a second for half of a 7B model. Writes to pages that hold
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

/** Milliseconds of a step over `layers` layers, and on the last stage of one that tells the layers from the head. */
interface Sample extends Extent {
  readonly rows: number;
  readonly longMs: number;
  readonly shortMs: number;
}

async function sampleAll(probe: StepProbe, rows: readonly number[], extent: Extent): Promise<readonly Sample[]> {
  const best = new Map<number, Sample>();
  const startedAt = performance.now();
  for (let pass = 0; pass < MOST_PASSES && (pass === 0 || performance.now() - startedAt < ENOUGH_MS); pass++) {
    for (const count of rows) {
      const now = await sample(probe, { rows: count, ...extent });
      const { longMs, shortMs } = best.get(count) ?? now;
      best.set(count, { ...now, longMs: Math.min(longMs, now.longMs), shortMs: Math.min(shortMs, now.shortMs) });
    }
  }
  return [...best.values()];
}

/**
 * The short step of the last stage runs one layer and the head, since a graph without the head lies otherwise in memory and
 * may take longer by itself; with one layer in all there is no other.
 */
async function sample(probe: StepProbe, { rows, layers, heads }: Extent & { readonly rows: number }): Promise<Sample> {
  const longMs = await probe.time(rows, layers, heads);
  const shortMs = heads ? await probe.time(rows, 1, layers > 1) : 0;
  return { rows, layers, heads, longMs, shortMs };
}

/** What a step costs besides its layers counts for the head on the last stage, for the layers elsewhere. */
function stepTime({ rows, layers, heads, longMs, shortMs }: Sample): StepTime {
  if (!heads) return { rows, layerMs: longMs / layers, headMs: 0 };
  const layerMs = layers > 1 ? Math.max(0, longMs - shortMs) / (layers - 1) : shortMs;
  return { rows, layerMs, headMs: Math.max(0, longMs - layers * layerMs) };
}
