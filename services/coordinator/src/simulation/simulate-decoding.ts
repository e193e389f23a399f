import { setImmediate as turn } from "node:timers/promises";
import { createLogger, type GenerationJob } from "@rhone/common";
import { Engine } from "../engine.js";
import { createMetrics } from "../metrics.js";
import { type KvShape, livePages } from "../scheduler/sliding-window.js";
import { PieceTable } from "../text/piece-table.js";
import { VirtualClock } from "./virtual-clock.js";
import { VirtualPipeline } from "./virtual-pipeline.js";

export interface DecodingOptions {
  readonly stages: number;
  readonly stageMs: number;
  readonly hopMs: number;
  readonly sequencesPerStage: number;
  /** Of virtual time: passed over, then measured. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface DecodingFigures {
  readonly stages: number;
  readonly sequences: number;
  readonly stepsPerSecond: number;
  readonly rowsPerStep: number;
  readonly rowsPerSecond: number;
  /** Steps per second over those of a stage that is never idle: 1000 / stageMs. */
  readonly share: number;
}

const PROMPT_TOKENS = 16;
const VOCABULARY = 32_000;
const PAGE_SIZE = 32;
/** A day: no deadline passes while the virtual clock runs. */
const FAR_MS = 86_400_000;

/**
 * The coordinator's own engine and scheduler drive stages that exist on a virtual clock only. All sequences arrive at once
 * and decode throughout. Equal options give equal figures, on any machine.
 */
export async function simulateDecoding(options: DecodingOptions): Promise<DecodingFigures> {
  const { stages, stageMs, sequencesPerStage, warmUpSeconds, seconds } = options;
  const sequences = stages * sequencesPerStage;
  const untilMs = (warmUpSeconds + seconds) * 1000;
  const positions = PROMPT_TOKENS + Math.ceil(untilMs / stageMs) + 1;
  const shape = { pageSize: PAGE_SIZE, slidingWindow: 0, contextLength: positions + 1, maxRows: 512 };
  const engine = openEngine(shape, sequences);
  const clock = new VirtualClock();
  const count = { steps: 0, rows: 0 };
  const pipeline = new VirtualPipeline({
    ...options,
    clock,
    pages: (sequences + 1) * livePages(positions + 1, shape),
    vocabSize: VOCABULARY,
    onResult: (step, result) => {
      if (clock.nowMs >= warmUpSeconds * 1000) {
        count.steps++;
        count.rows += result.spans?.length ?? 0;
      }
      engine.record(step, result);
    },
  });
  const runs = Array.from({ length: sequences }, (_, index) => engine.run(jobOf(index, positions)).catch(() => {}));
  engine.attach(pipeline);
  do
    await turn(); // what the engine leaves for the next turn of the event loop happens before time goes on
  while (clock.step(untilMs));
  engine.close();
  await Promise.all(runs);
  return figuresOf(count, { ...options, sequences });
}

function openEngine(shape: KvShape, maxSequences: number): Engine {
  const pieces = new PieceTable({ pieceBytes: () => new Uint8Array() });
  return new Engine({
    shape,
    maxSequences,
    recoveryTimeoutMs: FAR_MS,
    rules: { contextLength: shape.contextLength, endTokens: new Set(), pieces },
    log: { full: false, append: async () => [] },
    metrics: createMetrics(),
    logger: createLogger({ service: "simulation", level: "silent" }),
  });
}

function figuresOf(
  { steps, rows }: { readonly steps: number; readonly rows: number },
  { stages, sequences, seconds, stageMs }: DecodingOptions & { readonly sequences: number },
): DecodingFigures {
  return {
    stages,
    sequences,
    stepsPerSecond: steps / seconds,
    rowsPerStep: rows / steps,
    rowsPerSecond: rows / seconds,
    share: (steps * stageMs) / (seconds * 1000),
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
    includeStop: false,
    skipSpecialTokens: true,
    logprobs: null,
    promptLogprobs: null,
    lane: "interactive",
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
  logitBias: [],
};
