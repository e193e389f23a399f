import type { GenerationEvent } from "@rhone/common";
import { timeLeft } from "../turns.js";
import { UsageCount } from "./answer-frame.js";
import type { ChoiceEvent, Writer } from "./writer.js";

interface Candidate {
  readonly events: GenerationEvent[];
  sum: number;
  count: number;
}

export interface BestOf {
  readonly prompts: number;
  /** Choices per prompt in the answer, and samples generated for them. */
  readonly n: number;
  readonly samples: number;
}

/**
 * Keeps, of each prompt's `samples`, the `n` with the highest mean log-probability per token, best first, and has
 * `writer` write them. The usage counts every sample. The jobs must ask for log-probabilities. Cannot be streamed: the
 * choice falls at the end.
 */
export class BestOfWriter implements Writer {
  readonly #writer: Writer;
  readonly #n: number;
  readonly #samples: number;
  readonly #usage: UsageCount;
  readonly #candidates: Candidate[];

  constructor(writer: Writer, { prompts, n, samples }: BestOf) {
    this.#writer = writer;
    this.#n = n;
    this.#samples = samples;
    this.#usage = new UsageCount(samples);
    this.#candidates = Array.from({ length: prompts * samples }, () => ({ events: [], sum: 0, count: 0 }));
  }

  get usage() {
    return this.#usage.toJson();
  }

  take({ choice, event }: ChoiceEvent): readonly string[] {
    const candidate = this.#candidates[choice];
    if (candidate === undefined)
      throw new RangeError(`The request has ${this.#candidates.length} samples, no sample ${choice}`);
    candidate.events.push(event);
    for (const { logprob } of event.logprobs ?? []) candidate.sum += logprob;
    candidate.count += event.tokens.length;
    if (event.usage !== undefined) this.#usage.add(choice, event.usage);
    return [];
  }

  end(): readonly string[] {
    return [];
  }

  async whole(): Promise<unknown> {
    let choice = 0;
    for (let start = 0; start < this.#candidates.length; start += this.#samples) {
      const ranked = this.#candidates.slice(start, start + this.#samples).sort((a, b) => mean(b) - mean(a));
      for (const { events } of ranked.slice(0, this.#n)) {
        for (const event of events) {
          this.#writer.take({ choice, event }, "whole");
          await timeLeft();
        }
        choice++;
      }
    }
    return { ...((await this.#writer.whole()) as object), usage: this.usage };
  }
}

const mean = ({ sum, count }: Candidate): number => (count === 0 ? Number.NEGATIVE_INFINITY : sum / count);
