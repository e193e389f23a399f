import type { CompletionWriter } from "./completion-writer.js";
import { completionsDialect } from "./dialect.js";
import { type ChoiceEvent, choiceAt, type Writer } from "./writer.js";

interface Candidate {
  sum: number;
  count: number;
}

export interface BestOf {
  /** Choices per prompt in the answer, and samples generated for them. */
  readonly n: number;
  readonly samples: number;
}

/**
 * Has `writer`, whose choices are all samples, write of each prompt the `n` with the highest mean log-probability per
 * token, best first. The usage counts every sample. The jobs must ask for log-probabilities. Cannot be streamed: the
 * choice falls at the end.
 */
export class BestOfWriter implements Writer {
  readonly dialect = completionsDialect;
  readonly #writer: CompletionWriter;
  readonly #best: BestOf;
  readonly #candidates: readonly Candidate[];

  constructor(writer: CompletionWriter, best: BestOf) {
    this.#writer = writer;
    this.#best = best;
    this.#candidates = Array.from({ length: writer.choices }, () => ({ sum: 0, count: 0 }));
  }

  get usage() {
    return this.#writer.usage;
  }

  take(choiceEvent: ChoiceEvent): readonly string[] {
    const { choice, event } = choiceEvent;
    const candidate = choiceAt(this.#candidates, choice);
    for (const { logprob } of event.logprobs ?? []) candidate.sum += logprob;
    candidate.count += event.tokens.length;
    return this.#writer.take(choiceEvent, "whole");
  }

  end(): readonly string[] {
    return [];
  }

  whole(): Promise<unknown> {
    const { n, samples } = this.#best;
    const means = this.#candidates.map(mean);
    const ofPrompt = (_: unknown, prompt: number) =>
      Array.from({ length: samples }, (_, sample) => prompt * samples + sample);
    const prompts = Array.from({ length: means.length / samples }, ofPrompt);
    const byMean = (a: number, b: number) => (means[b] ?? 0) - (means[a] ?? 0);
    return this.#writer.whole(prompts.flatMap((choices) => choices.sort(byMean).slice(0, n)));
  }
}

const mean = ({ sum, count }: Candidate): number => (count === 0 ? Number.NEGATIVE_INFINITY : sum / count);
