import type { GenerationJob } from "@rhone/common";

/** A greedy job with default settings. */
export function fakeJob(
  overrides: Partial<GenerationJob> & Pick<GenerationJob, "requestId" | "promptIds">,
): GenerationJob {
  return {
    model: "fake",
    replyTo: "gateway",
    sampling: {
      temperature: 0,
      topK: 0,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      seed: 1,
      logitBias: "",
    },
    maxTokens: 8,
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
    cachePrompt: true,
    cacheSalt: "",
    route: "",
    lane: "interactive",
    keyId: "",
    arrivedAtMs: 0,
    deadlineAtMs: Date.now() + 3_600_000,
    ...overrides,
  };
}
