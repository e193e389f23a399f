import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { measureFlood } from "../measure/measure-flood.js";
import { amount, count, counts, type ValuesOf } from "../options.js";
import { type BenchContext, defineScenario, type ScenarioResult } from "../scenario.js";

/** Steps of a pipeline with this number of stages. */
export interface ScalePoint {
  readonly stages: number;
  readonly sequences: number;
  readonly stepsPerSecond: number;
  readonly rowsPerStep: number;
  readonly rowsPerSecond: number;
  /** Share of its time that the busiest stage computes; 1 = never idle. */
  readonly share: number;
}

/** A point of real processes; their stages take a little longer than asked. */
export interface ProcessPoint extends ScalePoint {
  readonly stageMs: number;
  readonly hopMs: number;
}

export interface ScaleFigures {
  readonly virtual: readonly ScalePoint[];
  readonly processes: readonly ProcessPoint[];
}

const PROMPT_TOKENS = 16;

const options = {
  stages: counts("numbers of stages on a virtual clock, which no machine slows down", [1, 2, 4, 8, 16, 32]),
  processes: counts("numbers of simulated workers, as processes of this machine (--spawn)", [2, 4]),
  stageMs: count("ms that a step takes on each stage", 5, 0),
  rowMs: amount("ms that each row adds to it, on the virtual clock", 0),
  hopMs: amount("ms that a frame takes between processes, on the virtual clock", 0.2),
  sequencesPerStage: count("sequences per stage, which decode all the time", 8),
  warmUp: amount("seconds before measuring processes begins", 3),
  seconds: amount("seconds to measure each point, by its own clock", 10),
};

/**
 * How throughput grows with the stages: the coordinator's engine and scheduler on a virtual clock, and real processes.
 */
export const scale = defineScenario({
  name: "scale",
  description: "steps per second by the number of stages, against a stage that is never idle",
  examples: [
    { flags: "", about: "stages on a virtual clock, which starts no process" },
    { flags: "--spawn --processes 2,4,8", about: "real processes as well" },
  ],
  options,
  clusters: "own",
  run: async (context, values) => {
    const virtual = await simulate(context, values);
    const processes: ProcessPoint[] = [];
    if (!context.spawns) context.note("Real processes are left out: add --spawn.");
    else for (const stages of values.processes) processes.push(await measureProcesses(context, stages, values));
    const figures: ScaleFigures = { virtual, processes };
    return { figures, report: reportOf(figures, values) };
  },
});

type Values = ValuesOf<typeof options>;

async function simulate({ signal, simulationEntry }: BenchContext, values: Values): Promise<readonly ScalePoint[]> {
  const { stages, stageMs, rowMs, hopMs, sequencesPerStage, seconds } = values;
  const flags = {
    stages: stages.join(),
    "stage-ms": stageMs,
    "row-ms": rowMs,
    "hop-ms": hopMs,
    "sequences-per-stage": sequencesPerStage,
    seconds,
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  const { stdout } = await promisify(execFile)(process.execPath, [simulationEntry, ...args], { signal });
  return JSON.parse(stdout) as readonly ScalePoint[];
}

function measureProcesses(context: BenchContext, stages: number, values: Values): Promise<ProcessPoint> {
  const { stageMs, sequencesPerStage, warmUp, seconds } = values;
  const streams = stages * sequencesPerStage;
  return context.withCluster(
    async (target) => {
      const load = { streams, promptTokens: PROMPT_TOKENS, maxTokens: 1000, warmUp, seconds };
      const { inside, seconds: elapsed } = await measureFlood(target, load);
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

function reportOf({ virtual, processes }: ScaleFigures, { stageMs, rowMs, hopMs }: Values): ScenarioResult["report"] {
  const simulated = [
    `virtual clock: ${stageMs} ms per step and stage, ${rowMs} ms per row, ${hopMs} ms per hop`,
    { heading: HEADING, rows: virtual.map(cells) },
  ];
  if (processes.length === 0) return simulated;
  const rows = processes.map((point) => [...cells(point), point.stageMs.toFixed(2), point.hopMs.toFixed(2)]);
  const measured = { heading: [...HEADING, "STAGE ms", "HOP ms"], rows };
  return [...simulated, "processes on this machine, times as measured", measured];
}

const HEADING = ["STAGES", "SEQUENCES", "STEPS/s", "ROWS/step", "ROWS/s", "BUSIEST STAGE"];

const cells = ({ stages, sequences, stepsPerSecond, rowsPerStep, rowsPerSecond, share }: ScalePoint): string[] => [
  String(stages),
  String(sequences),
  stepsPerSecond.toFixed(1),
  rowsPerStep.toFixed(2),
  rowsPerSecond.toFixed(0),
  `${(100 * share).toFixed(1)} %`,
];
