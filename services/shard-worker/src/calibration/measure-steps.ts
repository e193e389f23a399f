import type { Backend } from "@rhone/ggml";
import type { Shard } from "../model/transformer.js";
import { HeadProbe } from "./head-probe.js";
import { LayerProbe } from "./layer-probe.js";

/** Milliseconds of a step of `rows` decode rows. */
export interface StepTime {
  readonly rows: number;
  /** One layer. */
  readonly layerMs: number;
  /** The head; 0 on a shard without it. */
  readonly headMs: number;
}

/** Layers that take longer than this for one row are timed 3 at a time, other ones each time: caches stay cold. */
const SMALL_LAYER_MS = 0.5;
const SLICE_LAYERS = 3;
/**
 * Each time is the least of 3 to 6, because another process may disturb any of them: more than 3 only while the passes
 * have taken under a second.
 */
const LEAST_PASSES = 3;
const MOST_PASSES = 6;
const ENOUGH_MS = 1000;

/**
 * Times decode steps of these numbers of rows on a loaded shard; half of a 7B model takes some seconds. Writes to pages
 * that must not be in use, and leaves them finite. Throws GGML_FAILED, OUT_OF_MEMORY.
 */
export async function measureSteps(
  { backend, shard, heads }: { readonly backend: Backend; readonly shard: Shard; readonly heads: boolean },
  rows: readonly number[],
): Promise<readonly StepTime[]> {
  const probe = new LayerProbe(backend, shard);
  const head = heads ? new HeadProbe(backend, shard) : null;
  try {
    const slice = Math.min(SLICE_LAYERS, probe.layers);
    await probe.time(1, slice); // wakes threads and memory up
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

/** The least milliseconds that `time` takes for each number of rows. */
async function leastTimes(
  rows: readonly number[],
  time: (rows: number) => Promise<number>,
): Promise<ReadonlyMap<number, number>> {
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
