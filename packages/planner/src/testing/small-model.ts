import type { Calibration } from "../calibration.js";
import type { ModelWeights } from "../model-weights.js";
import type { StageWorker } from "../plan-stages.js";

/** A model of a few bytes whose layers are all the same size. */
export function smallModel(nLayers: number, { layer = 10, embedding = 5, head = 6 } = {}): ModelWeights {
  return {
    layerBytes: new Array<number>(nLayers).fill(layer),
    embeddingBytes: embedding,
    headBytes: head,
    wholeBytes: nLayers * layer + embedding + head,
  };
}

/** Workers w0, w1, … without measurements, with `memory` bytes each. */
export function workersOf(...memory: readonly number[]): StageWorker[] {
  return memory.map((memoryTotal, index) => ({ worker: `w${index}`, memoryTotal, raw: null, calibration: null }));
}

/** A worker whose times are the same for any number of rows; without a head when `headMs` is null. */
export function calibrated(layerMs: number, headMs: number | null): Calibration {
  const curve = [1, 8, 32].map((rows) => ({ rows, layerMs, headMs: headMs ?? 0 }));
  return { curve, alone: curve.slice(0, 1), head: headMs !== null };
}
