import type { ModelWeights } from "./model-weights.js";
import { type StepCurve, stageMs } from "./step-curve.js";

/** How fast a worker says it is: as measured when it started, before it held any weights. */
export interface RawSpeed {
  readonly gflops: number;
  readonly bandwidth: number;
}

/** What a worker measured with its shard loaded. */
export interface Calibration {
  readonly curve: StepCurve;
  /** One row while no other worker of the machine computes: what a single stream sees. */
  readonly alone: StepCurve;
  /** Whether it held the head, so that the curve's headMs are measured and not 0. */
  readonly head: boolean;
}

export interface WorkerSpeed {
  readonly raw: RawSpeed | null;
  readonly calibration: Calibration | null;
}

/** What each layer, and the head, costs on one worker; the unit is the same for all workers of one answer. */
export interface LayerCosts {
  readonly layers: readonly number[];
  readonly head: number;
}

/** Steps of so many rows are what a pipeline under load runs; the cut is made for them. */
export const PLANNED_ROWS = 8;
/** Raw speeds that differ by less than this tell nothing: they are measured in 50 ms. */
const NOTABLE_RATIO = 1.5;

/**
 * What layers cost on each worker: milliseconds where workers have measured them, an unmeasured worker taken as the mean
 * of those; without any, the bytes that are read, over the workers' raw speeds where these differ much. The embedding is
 * looked up, not read, and costs nothing.
 */
export function layerCosts(workers: readonly WorkerSpeed[], weights: ModelWeights): readonly LayerCosts[] {
  const measured = workers.flatMap(({ calibration }) => (calibration === null ? [] : [calibration]));
  if (measured.length === 0) return rawFactors(workers).map((factor) => byBytes(weights, factor));
  const headRatio = measuredHeadRatio(measured) ?? weights.headBytes / meanLayer(weights);
  const layerMs = measured.map(({ curve }) => stageMs(curve, { layers: 1, heads: false }, PLANNED_ROWS));
  const typical = layerMs.reduce((sum, ms) => sum + ms, 0) / layerMs.length;
  return workers.map(({ calibration }) => {
    const layer =
      calibration === null ? typical : stageMs(calibration.curve, { layers: 1, heads: false }, PLANNED_ROWS);
    const head =
      calibration?.head === true
        ? stageMs(calibration.curve, { layers: 0, heads: true }, PLANNED_ROWS)
        : layer * headRatio;
    return { layers: weights.layerBytes.map((bytes) => (layer * bytes) / meanLayer(weights)), head };
  });
}

/** The head's time in layers, as those measured it that hold one. */
function measuredHeadRatio(measured: readonly Calibration[]): number | null {
  const ratios = measured
    .filter(({ head }) => head)
    .map(({ curve }) => {
      const layer = stageMs(curve, { layers: 1, heads: false }, PLANNED_ROWS);
      return stageMs(curve, { layers: 0, heads: true }, PLANNED_ROWS) / layer;
    });
  return ratios.length === 0 ? null : ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
}

const meanLayer = ({ layerBytes }: ModelWeights): number =>
  layerBytes.reduce((sum, bytes) => sum + bytes, 0) / layerBytes.length;

const byBytes = ({ layerBytes, headBytes }: ModelWeights, factor: number): LayerCosts => ({
  layers: layerBytes.map((bytes) => bytes * factor),
  head: headBytes * factor,
});

/** How much longer than the fastest each worker takes for the same bytes; all 1 when they are near each other or unknown. */
function rawFactors(workers: readonly WorkerSpeed[]): readonly number[] {
  const speeds = workers.map(({ raw }) => (raw === null ? 0 : Math.sqrt(raw.gflops * raw.bandwidth)));
  const [slowest, fastest] = [Math.min(...speeds), Math.max(...speeds)];
  const tells = slowest > 0 && fastest / slowest >= NOTABLE_RATIO;
  return speeds.map((speed) => (tells ? fastest / speed : 1));
}
