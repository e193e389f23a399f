import type { Calibration, WorkerSpeed } from "./calibration.js";
import type { ModelWeights } from "./model-weights.js";
import { stageMs } from "./step-curve.js";

/** The cost of each layer, and of the head, on one worker; the unit is the same for all workers of one answer. */
export interface LayerCosts {
  readonly layers: readonly number[];
  readonly head: number;
}

/** Rows per step that the cut is made for: those of a pipeline under load. */
const PLANNED_ROWS = 8;
/** Raw speeds that differ by less than this factor are taken as equal: they are measured in 50 ms. */
const NOTABLE_RAW = 1.5;
/** The same of measured layers. Workers of one machine and one kind share their times and are always equal. */
const NOTABLE_MEASURED = 1.25;

/**
 * What a layer's attention, norms and waits take, as bytes of weights that would take as long. With two threads and 8
 * rows, SmolLM2's layers of 2.2 MB took 0.86 ms, as 7.5 MB of its head did (30 MB, 3.4 ms); with one row, 0.57 ms and
 * 5.5 MB.
 */
const LAYER_OVERHEAD = 4e6;

/**
 * Whether the workers count as equally fast: no two of them differ notably in measured times, or in raw speeds where
 * none is calibrated. One of unknown speed is as fast as the others.
 */
export function equallyFast(workers: readonly WorkerSpeed[]): boolean {
  const measured = calibrationsOf(workers);
  if (measured.length === 0) return rawFactors(workers).every((factor) => factor === 1);
  const times = measured.map(layerMs);
  return Math.max(...times) < NOTABLE_MEASURED * Math.min(...times);
}

/**
 * What layers cost on each worker. By the bytes read for workers that are equally fast: measured times differ from
 * start to start, and the cut would with them. Otherwise measured milliseconds where any worker is calibrated, an
 * uncalibrated one counting as the mean of the others, or else the bytes divided by the raw speeds. The embedding is a
 * lookup and costs nothing.
 */
export function layerCosts(workers: readonly WorkerSpeed[], weights: ModelWeights): readonly LayerCosts[] {
  if (equallyFast(workers)) return workers.map(() => byBytes(weights, 1));
  const measured = calibrationsOf(workers);
  if (measured.length === 0) return rawFactors(workers).map((factor) => byBytes(weights, factor));
  const headRatio = measuredHeadRatio(measured) ?? weights.headBytes / meanLayer(weights);
  const typical = mean(measured.map(layerMs));
  return workers.map(({ calibration }) => {
    const layer = calibration === null ? typical : layerMs(calibration);
    const head = calibration?.head === true ? headMs(calibration) : layer * headRatio;
    return { layers: weights.layerBytes.map((bytes) => (layer * bytes) / meanLayer(weights)), head };
  });
}

const calibrationsOf = (workers: readonly WorkerSpeed[]): readonly Calibration[] =>
  workers.flatMap(({ calibration }) => (calibration === null ? [] : [calibration]));

const layerMs = ({ curve }: Calibration): number => stageMs(curve, { layers: 1, heads: false }, PLANNED_ROWS);
const headMs = ({ curve }: Calibration): number => stageMs(curve, { layers: 0, heads: true }, PLANNED_ROWS);

/** The head's time in layers, averaged over the workers that hold a head; null without one. */
function measuredHeadRatio(measured: readonly Calibration[]): number | null {
  const ratios = measured.filter(({ head }) => head).map((calibration) => headMs(calibration) / layerMs(calibration));
  return ratios.length === 0 ? null : mean(ratios);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const meanLayer = ({ layerBytes }: ModelWeights): number => mean(layerBytes);

const byBytes = ({ layerBytes, headBytes }: ModelWeights, factor: number): LayerCosts => ({
  layers: layerBytes.map((bytes) => (bytes + LAYER_OVERHEAD) * factor),
  head: headBytes * factor,
});

/**
 * How many times as long as the fastest each worker takes for the same bytes; all 1 when speeds are alike or unknown.
 */
function rawFactors(workers: readonly WorkerSpeed[]): readonly number[] {
  const speeds = workers.map(({ raw }) => (raw === null ? 0 : Math.sqrt(raw.gflops * raw.bandwidth)));
  const [slowest, fastest] = [Math.min(...speeds), Math.max(...speeds)];
  const differ = slowest > 0 && fastest / slowest >= NOTABLE_RAW;
  return speeds.map((speed) => (differ ? fastest / speed : 1));
}
