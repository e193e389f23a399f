import type { StepCosts } from "../budget/step-costs.js";
import { TUNING } from "../budget/tuning.js";
import type { Sequence } from "../sequence.js";
import { DraftSource } from "./draft-source.js";

/** Drafts of each sequence's next tokens; a sequence without drafts is absent. */
export type Drafts = ReadonlyMap<Sequence, readonly number[]>;

interface Draft {
  readonly sequence: Sequence;
  readonly token: number;
  /** That it and all drafts before it are right. */
  readonly probability: number;
}

const NONE: Drafts = new Map();

/** Which drafts the steps of decoding sequences carry, and how often each sequence's drafts were right. */
export class Speculation {
  readonly #maxDrafts: number;
  readonly #contextLength: number;
  readonly #sources = new WeakMap<Sequence, DraftSource>();

  /** `maxDrafts`: per sequence and step; 0 = no speculation. */
  constructor(options: { readonly maxDrafts: number; readonly contextLength: number }) {
    this.#maxDrafts = options.maxDrafts;
    this.#contextLength = options.contextLength;
  }

  /**
   * The drafts for a step of these decoding sequences: as many of the likeliest as give the most expected tokens per
   * millisecond, by the sequences' shares of right drafts and the step's cost. `groups`: micro-batches per cycle.
   */
  choose(sequences: readonly Sequence[], cost: { readonly groups: number; readonly costs: StepCosts }): Drafts {
    if (this.#maxDrafts === 0 || sequences.length > TUNING.mostDrafting) return NONE;
    const proposed = sequences.flatMap((sequence) => this.#propose(sequence)).sort(byProbability);
    const chosen = new Map<Sequence, number[]>();
    for (const { sequence, token } of proposed.slice(0, bestCount(proposed, sequences.length, cost))) {
      const known = chosen.get(sequence);
      if (known === undefined) chosen.set(sequence, [token]);
      else known.push(token);
    }
    for (const sequence of sequences) if (!chosen.has(sequence)) this.#sourceOf(sequence).fade();
    return chosen;
  }

  /** `accepted` of a span's `proposed` drafts were right. */
  learn(sequence: Sequence, accepted: number, proposed: number): void {
    if (proposed > 0) this.#sourceOf(sequence).learn(accepted, proposed);
  }

  #propose(sequence: Sequence): readonly Draft[] {
    const { job, generated, length } = sequence;
    const room = Math.min(this.#maxDrafts, job.maxTokens - generated - 1, this.#contextLength - length);
    if (room <= 0) return [];
    const source = this.#sourceOf(sequence);
    let probability = 1;
    return source.propose(sequence.tokens(0, length), room).map((token) => {
      probability *= source.acceptance;
      return { sequence, token, probability };
    });
  }

  #sourceOf(sequence: Sequence): DraftSource {
    const known = this.#sources.get(sequence);
    if (known !== undefined) return known;
    const source = new DraftSource();
    this.#sources.set(sequence, source);
    return source;
  }
}

/** A sequence's later draft is never likelier than an earlier one, so that the stable sort keeps their order. */
const byProbability = (a: Draft, b: Draft): number => b.probability - a.probability;

/** How many of the likeliest drafts give the most expected tokens per millisecond. */
function bestCount(
  drafts: readonly Draft[],
  sequences: number,
  { costs, groups }: { readonly costs: StepCosts; readonly groups: number },
): number {
  if (!costs.known) return drafts.length;
  const cycleMs = (rows: number): number => costs.cycle(rows * groups, groups);
  let expected = sequences;
  let best = 0;
  let bestRate = (expected / cycleMs(sequences)) * TUNING.draftGain;
  drafts.forEach(({ probability }, index) => {
    expected += probability;
    const rate = expected / cycleMs(sequences + index + 1);
    if (rate <= bestRate) return;
    best = index + 1;
    bestRate = rate;
  });
  return best;
}
