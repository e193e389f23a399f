import { type FloodFigures, measureFlood, type ProcessShare } from "../measure/measure-flood.js";
import { cpuPerToken, type FloodTurns, measureTurns } from "../measure/measure-turns.js";
import { TraceSink } from "../measure/trace-sink.js";
import { amount, count, type ValuesOf } from "../options.js";
import { insideTables, type Table } from "../report/tables.js";
import { type BenchContext, defineScenario, type ScenarioResult } from "../scenario.js";

const options = {
  streams: count("streams at once; each restarts as it ends", 64),
  promptTokens: count("prompt tokens of each stream", 16),
  maxTokens: count("tokens that each stream generates", 500),
  warmUp: amount("seconds before measuring begins", 3),
  seconds: amount("seconds to measure", 10),
  traces: amount("share of requests that a second cluster traces, measured in turn with the first; 0 = no second", 0),
  turns: count("turns of the two clusters", 5),
};

type Values = ValuesOf<typeof options>;

export interface TraceFigures extends FloodTurns {
  readonly traces: number;
  /** Of the traces of all turns. */
  readonly traceBytes: number;
}

/** What everything except arithmetic costs: stages that compute nothing, and as many tokens as the rest can carry. */
export const overhead = defineScenario({
  name: "overhead",
  description:
    "tokens per second of gateway, Redis, coordinator and simulated stages, and the CPU time of each process",
  examples: [
    { flags: "--spawn --simulate null", about: "everything but arithmetic" },
    { flags: "--spawn --simulate stage-ms=5 --workers 4", about: "with steps of 5 ms on each stage" },
    { flags: "--spawn --traces 0.05", about: "what it costs to trace one request in 20" },
  ],
  options,
  run: (context, values) => (values.traces > 0 ? runTraced(context, values) : runPlain(context, values)),
});

const simulated = ({ spawns, simulation }: BenchContext) => (spawns ? { simulate: simulation ?? "null" } : undefined);

const runPlain = (context: BenchContext, load: Values): Promise<ScenarioResult> =>
  context.withCluster(async (target) => {
    const figures = await measureFlood(target, load);
    return { figures, report: tablesOf(figures) };
  }, simulated(context));

async function runTraced(context: BenchContext, { traces, turns, ...load }: Values): Promise<ScenarioResult> {
  const sink = await TraceSink.open();
  const changes = { ...simulated(context), otlpEndpoint: sink.url, tracesSamplerArg: traces };
  try {
    return await context.withCluster(
      (plain) =>
        context.withCluster(async (changed) => {
          const compared = await measureTurns({ plain, changed, load, turns, note: context.note });
          const figures: TraceFigures = { traces, ...compared, traceBytes: sink.bytes };
          return { figures, report: [turnTable(figures), `traces: ${sink.bytes} bytes in all turns`] };
        }, changes),
      { ...simulated(context), tracesSamplerArg: 0 },
    );
  } finally {
    await sink.close();
  }
}

function turnTable({ turns, tokensRatio, cpuRatio }: TraceFigures): Table {
  const three = (ratio: number | null): string => ratio?.toFixed(3) ?? "?";
  const rows = turns.map(({ plain, changed, ...ratios }, index) => [
    String(index + 1),
    ...[plain, changed].map(({ tokensPerSecond }) => tokensPerSecond.toFixed(0)),
    three(ratios.tokensRatio),
    ...[plain, changed].map((figures) => cpuPerToken(figures)?.toFixed(1) ?? "?"),
    three(ratios.cpuRatio),
  ]);
  const medians = ["median", "", "", three(tokensRatio), "", "", three(cpuRatio)];
  return {
    heading: ["TURN", "TOKENS/s", "traced", "RATIO", "µs CPU/token", "traced", "RATIO"],
    rows: [...rows, medians],
  };
}
function tablesOf(figures: FloodFigures): readonly Table[] {
  const { streams, tokensPerSecond, clientTokensPerSecond, tokensPerChunk, processes, inside } = figures;
  const rates = [tokensPerSecond.toFixed(0), clientTokensPerSecond.toFixed(0), tokensPerChunk.toFixed(2)];
  return [
    { heading: ["STREAMS", "TOKENS/s", "at the client", "TOKENS/chunk"], rows: [[String(streams), ...rates]] },
    ...insideTables("STREAMS", [[String(streams), inside]]),
    ...(processes === null ? [] : [processTable(processes)]),
  ];
}

function processTable(processes: readonly ProcessShare[]): Table {
  const sum = (key: "cores" | "microsecondsPerToken") => processes.reduce((total, each) => total + each[key], 0);
  const all = { name: "all", cores: sum("cores"), microsecondsPerToken: sum("microsecondsPerToken") };
  const rows = [...processes, all].map(({ name, cores, microsecondsPerToken }) => [
    name,
    cores.toFixed(2),
    microsecondsPerToken.toFixed(1),
  ]);
  return { heading: ["PROCESS", "CORES", "µs CPU/token"], rows };
}
