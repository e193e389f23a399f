import type { ClusterStatus, StepTimeStatus } from "@rhone/common";
import { type PredictedStage, predict } from "@rhone/planner";
import { disturbanceOf } from "./disturbance.js";

/** Share of the theoretical gain that more threads bring; 0.9 was measured with two threads for one. */
const THREAD_EFFICIENCY = 0.85;
const CLEARLY = 1.25;
const STREAMS = 8;
/** Smaller models are fast enough either way. */
const LEAST_PARAMETERS = 1e8;

/**
 * A hint when several workers share a machine although one worker with all their threads should clearly be faster,
 * judged by their measured step times; null otherwise, or when they have not measured, or not undisturbed. `plan`: the
 * command that measures it.
 */
export function singleWorkerHint({ workers, model }: ClusterStatus, plan: string): string | null {
  const holders = workers.filter(({ layers }) => layers !== null).sort(byLayers);
  const [first] = holders;
  const oneMachine = holders.every(({ hostname, device }) => hostname === first?.hostname && device === "CPU");
  const memory = holders.reduce((sum, { memoryTotal }) => sum + memoryTotal, 0);
  const needed = holders.reduce((sum, { totalBytes, pageBytes }) => sum + totalBytes + pageBytes, 0);
  if (holders.length < 2 || model.parameters < LEAST_PARAMETERS || !oneMachine || memory < needed) return null;
  if (disturbanceOf(holders) !== null) return null;
  const stages = holders.flatMap(({ layers, stepTimes }, index): PredictedStage[] => {
    if (layers === null || stepTimes === null) return [];
    return [{ ...stepTimes, layers: layers[1] - layers[0], heads: index === holders.length - 1 }];
  });
  const last = stages.at(-1);
  if (last === undefined || stages.length < holders.length) return null;
  const threads = holders.reduce((sum, worker) => sum + worker.threads, 0);
  const gain = THREAD_EFFICIENCY * (threads / (holders.at(-1)?.threads ?? threads));
  const single = { ...last, layers: model.nLayers, curve: sped(last.curve, gain), alone: sped(last.alone, gain) };
  const ratio = rate([single]) / rate(stages);
  if (ratio < CLEARLY) return null;
  const times = ratio.toFixed(1);
  const advice = `\`--workers 1 --threads ${threads}\` should be about ${times} times as fast`;
  return `All workers share this machine: ${advice}. \`${plan}\` measures it.`;
}

const rate = (stages: readonly PredictedStage[]): number => predict(stages, STREAMS).tokensPerSecond;

const byLayers = (a: { layers: readonly number[] | null }, b: { layers: readonly number[] | null }): number =>
  (a.layers?.[0] ?? 0) - (b.layers?.[0] ?? 0);

function sped(curve: readonly StepTimeStatus[], gain: number): readonly StepTimeStatus[] {
  return curve.map(({ rows, layerMs, headMs }) => ({ rows, layerMs: layerMs / gain, headMs: headMs / gain }));
}
