import { setImmediate as turn } from "node:timers/promises";
import { createLogger, type GenerationJob } from "@rhone/common";
import { livePages } from "@rhone/planner";
import { Engine, type EngineOptions } from "../engine/engine.js";
import { createMetrics } from "../metrics.js";
import { PieceTable } from "../text/piece-table.js";
import { VirtualClock } from "./virtual-clock.js";
import { VirtualPipeline } from "./virtual-pipeline.js";

export interface DecodingOptions {
  readonly stages: number;
  readonly stageMs: number;
  readonly rowMs: number;
  readonly hopMs: number;
  readonly sequencesPerStage: number;
  /** Virtual time before measuring begins, and measured. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface DecodingFigures {
  readonly stages: number;
  readonly sequences: number;
  readonly stepsPerSecond: number;
  readonly rowsPerStep: number;
  readonly rowsPerSecond: number;
  /** Share of its time that stage 0 computes; 1 is a stage that is never idle. */
  readonly share: number;
}

/** Between arrivals: each makes the scheduler reconsider the group count by what it has measured. */
const ARRIVAL_MS = 10;
/** One row, so that the first steps carry as many rows as later ones. */
const PROMPT_TOKENS = 1;
const VOCABULARY = 32_000;
const PAGE_SIZE = 32;
/** A day: no deadline passes while the virtual clock runs. */
const FAR_MS = 86_400_000;

/**
 * Runs the coordinator's own engine and scheduler against stages on a virtual clock. Sequences arrive during the
 * warm-up and decode to the end. Equal options give equal figures on any machine.
 */
export async function simulateDecoding(options: DecodingOptions): Promise<DecodingFigures> {
  const { stages, stageMs, rowMs, sequencesPerStage, warmUpSeconds, seconds } = options;
  const sequences = stages * sequencesPerStage;
  const untilMs = (warmUpSeconds + seconds) * 1000;
  const positions = PROMPT_TOKENS + Math.ceil(untilMs / (stageMs + rowMs)) + 1;
  const shape = { pageSize: PAGE_SIZE, slidingWindow: 0, contextLength: positions + 1, maxRows: 512 };
  const clock = new VirtualClock();
  const engine = openEngine(clock, { shape, maxSequences: sequences });
  const count = { steps: 0, rows: 0, busyMs: 0 };
  const pipeline = new VirtualPipeline({
    ...options,
    clock,
    pages: (sequences + 1) * livePages(positions + 1, shape),
    vocabSize: VOCABULARY,
    onResult: (step, result) => {
      if (clock.nowMs >= warmUpSeconds * 1000) {
        count.steps++;
        count.rows += result.spans?.length ?? 0;
        count.busyMs += (result.timings?.[0]?.computeUs ?? 0) / 1000;
      }
      engine.record(step, result);
    },
  });
  const runs: Promise<void>[] = [];
  for (let index = 0; index < sequences; index++) {
    clock.after(index * ARRIVAL_MS, () => runs.push(engine.run(jobOf(index, positions)).catch(() => {})));
  }
  engine.attach(pipeline);
  do
    await turn(); // the engine's work for the next turn of the event loop is done before time passes
  while (clock.step(untilMs));
  engine.close();
  await Promise.all(runs);
  return figuresOf(count, { ...options, sequences });
}

function openEngine(clock: VirtualClock, limits: Pick<EngineOptions, "shape" | "maxSequences">): Engine {
  const pieces = new PieceTable({ pieceBytes: () => new Uint8Array() });
  return new Engine({
    ...limits,
    now: () => clock.nowMs,
    targetItl: "auto",
    maxDrafts: 0,
    recoveryTimeoutMs: FAR_MS,
    rules: { contextLength: limits.shape.contextLength, vocabSize: VOCABULARY, endTokens: new Set(), pieces },
    log: { full: false, append: async () => [] },
    metrics: createMetrics(),
    logger: createLogger({ service: "simulation", level: "silent" }),
  });
}

function figuresOf(
  { steps, rows, busyMs }: { readonly steps: number; readonly rows: number; readonly busyMs: number },
  { stages, sequences, seconds }: DecodingOptions & { readonly sequences: number },
): DecodingFigures {
  return {
    stages,
    sequences,
    stepsPerSecond: steps / seconds,
    rowsPerStep: rows / steps,
    rowsPerSecond: rows / seconds,
    share: busyMs / (seconds * 1000),
  };
}

function jobOf(index: number, maxTokens: number): GenerationJob {
  const now = Date.now();
  return {
    requestId: `sequence ${index}`,
    model: "simulated",
    replyTo: "nobody",
    promptIds: Array.from({ length: PROMPT_TOKENS }, (_, position) => 259 + index * PROMPT_TOKENS + position),
    sampling: GREEDY,
    maxTokens,
    minTokens: 0,
    stop: [],
    stopTokenIds: [],
    ignoreEos: true,
    constraint: null,
    includeStop: false,
    skipSpecialTokens: true,
    hiddenSpace: false,
    logprobs: null,
    promptLogprobs: null,
    pooling: null,
    lane: "interactive",
    cachePrompt: false,
    cacheSalt: "",
    route: "",
    keyId: "",
    arrivedAtMs: now,
    deadlineAtMs: now + FAR_MS,
  };
}

const GREEDY: GenerationJob["sampling"] = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  seed: 0,
  logitBias: "",
};
