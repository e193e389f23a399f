import { type FloodFigures, measureFlood, type ProcessShare } from "../measure/measure-flood.js";
import { amount, count } from "../options.js";
import { insideTables, type Table } from "../report/tables.js";
import { defineScenario } from "../scenario.js";

/** What everything except arithmetic costs: stages that compute nothing, and as many tokens as the rest can carry. */
export const overhead = defineScenario({
  name: "overhead",
  description:
    "tokens per second of gateway, Redis, coordinator and simulated stages, and the CPU time of each process",
  examples: [
    { flags: "--spawn --simulate null", about: "everything but arithmetic" },
    { flags: "--spawn --simulate stage-ms=5 --workers 4", about: "with steps of 5 ms on each stage" },
  ],
  options: {
    streams: count("streams at once; each restarts as it ends", 64),
    promptTokens: count("prompt tokens of each stream", 16),
    maxTokens: count("tokens that each stream generates", 500),
    warmUp: amount("seconds before measuring begins", 3),
    seconds: amount("seconds to measure", 10),
  },
  run: (context, load) => {
    const changes = context.spawns ? { simulate: context.simulation ?? "null" } : undefined;
    return context.withCluster(async (target) => {
      const figures = await measureFlood(target, load);
      return { figures, report: tablesOf(figures) };
    }, changes);
  },
});

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
