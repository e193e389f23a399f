import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Command } from "commander";
import { childEnvironment } from "../../config.js";
import { decimalNumber, positive, positiveList, wholeNumber } from "../../option-parsers.js";
import { formatScale } from "../report/format-scale.js";
import type { BenchContext, Scenario } from "../scenario.js";
import { measureFlood } from "./overhead.js";

interface ScaleOptions {
  readonly stages: readonly number[];
  readonly processes: readonly number[];
  readonly stageMs: number;
  readonly rowMs: number;
  readonly hopMs: number;
  readonly sequencesPerStage: number;
  readonly seconds: number;
}

/** Steps of one number of stages against a stage that is never idle. */
export interface ScalePoint {
  readonly stages: number;
  readonly sequences: number;
  readonly stepsPerSecond: number;
  readonly rowsPerStep: number;
  readonly rowsPerSecond: number;
  /** Of its time that the busiest stage computes. */
  readonly share: number;
}

/** A point of real processes: their stages take a little longer than asked. */
export interface ProcessPoint extends ScalePoint {
  readonly stageMs: number;
  readonly hopMs: number;
}

export interface ScaleFigures {
  readonly virtual: readonly ScalePoint[];
  readonly processes: readonly ProcessPoint[];
}

const SIMULATION = fileURLToPath(new URL("../../../../services/coordinator/dist/simulation/main.js", import.meta.url));
const PROMPT_TOKENS = 16;
const WARM_UP_SECONDS = 3;

/** How throughput grows with the stages: the coordinator's engine and scheduler on a virtual clock, and real processes. */
export const scale: Scenario<ScaleOptions> = {
  name: "scale",
  description: "steps per second by the number of stages, against a stage that is never idle",
  configure: (command: Command) =>
    command
      .option("--stages <list>", "on a virtual clock, which no machine slows down", positiveList, [1, 2, 4, 8, 16, 32])
      .option("--processes <list>", "the same with simulated workers on this machine (--spawn)", positiveList, [2, 4])
      .option("--stage-ms <n>", "what a step takes on each stage", wholeNumber({ least: 0 }), 5)
      .option("--row-ms <n>", "what each row adds to it, on the virtual clock", decimalNumber({ least: 0 }), 0)
      .option(
        "--hop-ms <n>",
        "what a frame takes from process to process, on the virtual clock",
        decimalNumber({ least: 0 }),
        0.2,
      )
      .option("--sequences-per-stage <n>", "that decode all the time", positive, 8)
      .option("--seconds <n>", "how long to measure each, in its own time", positive, 10),
  run: async (context, options) => {
    const virtual = await simulate(context, options);
    const processes: ProcessPoint[] = [];
    if (!context.spawns) context.note("real processes are left out: add --spawn");
    else for (const stages of options.processes) processes.push(await measureProcesses(context, stages, options));
    const figures: ScaleFigures = { virtual, processes };
    return { figures, text: formatScale(figures, options) };
  },
};

async function simulate({ signal }: BenchContext, options: ScaleOptions): Promise<readonly ScalePoint[]> {
  const { stages, stageMs, rowMs, hopMs, sequencesPerStage, seconds } = options;
  const flags = {
    stages: stages.join(),
    "stage-ms": stageMs,
    "row-ms": rowMs,
    "hop-ms": hopMs,
    "sequences-per-stage": sequencesPerStage,
    seconds,
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [SIMULATION, ...args], { signal, env: childEnvironment() });
  return JSON.parse(stdout) as readonly ScalePoint[];
}

function measureProcesses(context: BenchContext, stages: number, options: ScaleOptions): Promise<ProcessPoint> {
  const { stageMs, sequencesPerStage, seconds } = options;
  const streams = stages * sequencesPerStage;
  return context.withCluster(
    async (target) => {
      const load = { streams, promptTokens: PROMPT_TOKENS, maxTokens: 1000, warmUp: WARM_UP_SECONDS, seconds };
      const { inside, seconds: elapsed } = await measureFlood(context, target, load);
      const [stepsPerSecond, rowsPerStep] = [(inside?.steps ?? 0) / elapsed, inside?.rowsPerStep ?? 0];
      const busiest = Math.max(...(inside?.stages ?? []).map(({ computeMs }) => computeMs));
      return {
        stages,
        sequences: streams,
        stepsPerSecond,
        rowsPerStep,
        rowsPerSecond: stepsPerSecond * rowsPerStep,
        share: (stepsPerSecond * busiest) / 1000,
        stageMs: busiest,
        hopMs: inside?.hopMs ?? 0,
      };
    },
    { simulate: `stage-ms=${stageMs}`, workers: stages },
  );
}
