import type { GenerationEvent, GenerationJob } from "@rhone/common";
import type { FrameOptions } from "../answers/answer-frame.js";
import type { ChoiceEvent } from "../answers/writer.js";

/** An event of one token "a". */
export const event = (changes: Partial<GenerationEvent> = {}): GenerationEvent => ({
  requestId: "r-0",
  ordinal: 0,
  tokens: [97],
  text: "a",
  ...changes,
});

/** The last event of a choice, without a token of its own. */
export const finish = (changes: Partial<GenerationEvent> = {}): GenerationEvent =>
  event({
    tokens: [],
    text: "",
    finish: { reason: "stop", matched: 2 },
    usage: { promptTokens: 3, completionTokens: 1, cachedTokens: 0 },
    ...changes,
  });

export const of = (choice: number, changes: Partial<GenerationEvent> = {}): ChoiceEvent => ({
  choice,
  event: event(changes),
});

export const end = (choice: number, changes: Partial<GenerationEvent> = {}): ChoiceEvent => ({
  choice,
  event: finish(changes),
});

/** The fields around an answer without extras. */
export const FRAME: FrameOptions = {
  id: "cmpl-1",
  created: 5,
  modelName: "tiny",
  fingerprint: "fp",
  wantsTokenIds: false,
  tokensAsIds: false,
  showsSpecial: false,
  runningUsage: false,
  usageChunk: false,
  warnings: [],
};

/** A job as a small chat makes it: 3 prompt tokens, 5 for the answer, 10 s. */
export const testJob = (changes: Partial<GenerationJob> = {}): GenerationJob => ({
  requestId: "r-0",
  model: "tiny",
  replyTo: "g1",
  promptIds: [1, 2, 3],
  sampling: {
    temperature: 1,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    frequencyPenalty: 0,
    presencePenalty: 0,
    seed: 0,
    logitBias: "",
  },
  maxTokens: 5,
  minTokens: 0,
  stop: [],
  stopTokenIds: [],
  ignoreEos: false,
  constraint: null,
  includeStop: false,
  skipSpecialTokens: true,
  hiddenSpace: false,
  logprobs: null,
  promptLogprobs: null,
  pooling: null,
  cachePrompt: true,
  cacheSalt: "",
  route: "",
  lane: "interactive",
  keyId: "",
  arrivedAtMs: 1000,
  deadlineAtMs: 11_000,
  ...changes,
});

/** Everything that a generator yields. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
