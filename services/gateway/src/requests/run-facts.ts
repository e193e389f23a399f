import { type GenerationJob, requestOfChoice } from "@rhone/common";
import type { Writer } from "../answers/writer.js";
import type { Outcome, RunObserver } from "./run-request.js";

/** What is known of a request's generation, for its line in the log. */
export interface RunFacts {
  /** The id of the answer. */
  id?: string;
  model?: string;
  promptTokens?: number;
  cachedTokens?: number;
  completionTokens?: number;
  /** From its arrival until its jobs were queued. */
  preparedMs?: number;
  /** From its arrival. */
  firstTokenMs?: number;
  outcome?: Outcome;
  /** It generated nothing: the answer of an earlier request was sent again. */
  replayed?: boolean;
}

interface FactsSource {
  readonly jobs: readonly Pick<GenerationJob, "requestId" | "model">[];
  readonly writer: Pick<Writer, "usage">;
  /** On the performance clock. */
  readonly arrivedAt: number;
}

/** Writes down what becomes of a run. */
export function factsOf(facts: RunFacts, { jobs: [job], writer, arrivedAt }: FactsSource): RunObserver {
  const sinceArrival = (): number => performance.now() - arrivedAt;
  if (job !== undefined) Object.assign(facts, { id: requestOfChoice(job.requestId), model: job.model });
  return {
    began: () => {
      facts.preparedMs = sinceArrival();
    },
    took: () => {
      facts.firstTokenMs ??= sinceArrival();
    },
    ended: (outcome) => {
      const { prompt_tokens, completion_tokens, prompt_tokens_details } = writer.usage;
      facts.outcome = outcome;
      facts.promptTokens = prompt_tokens;
      facts.cachedTokens = prompt_tokens_details.cached_tokens;
      facts.completionTokens = completion_tokens;
    },
  };
}

/** The same of a replay, whose tokens are another request's. */
export const replayFactsOf = (facts: RunFacts): RunObserver => ({
  began: () => {
    facts.replayed = true;
  },
  ended: (outcome) => {
    facts.outcome = outcome;
  },
});
