import type { StepCosts } from "../budget/step-costs.js";
import type { Sequence } from "../sequence.js";

/** Guesses at the next tokens of each sequence. */
export type Drafts = ReadonlyMap<Sequence, readonly number[]>;

interface Guess {
  readonly sequence: Sequence;
  readonly token: number;
  /** That it and all before it are right. */
  readonly probability: number;
}

const NONE: Drafts = new Map();
/** With more sequences than this in a step the stages have enough to do. */
const MOST_SEQUENCES = 16;
/** Drafts must promise so much more than they cost. */
const GAIN = 1.05;

/**
 * The drafts that a step of these decoding sequences should carry: as many of the likeliest as give the most expected
 * tokens per millisecond, by what the sequences' drafts were worth lately and what steps of that size cost. `most`: per
 * sequence; `groups`: micro-batches per cycle.
 */
export function chooseDrafts(
  sequences: readonly Sequence[],
  options: {
    readonly most: number;
    readonly groups: number;
    readonly costs: StepCosts;
    readonly contextLength: number;
  },
): Drafts {
  if (options.most === 0 || sequences.length > MOST_SEQUENCES) return NONE;
  const guesses = sequences.flatMap((sequence) => guessesOf(sequence, options)).sort(byProbability);
  const count = bestCount(guesses, sequences.length, options);
  const drafts = new Map<Sequence, number[]>();
  for (const { sequence, token } of guesses.slice(0, count)) {
    const known = drafts.get(sequence);
    if (known === undefined) drafts.set(sequence, [token]);
    else known.push(token);
  }
  for (const sequence of sequences) if (!drafts.has(sequence)) sequence.drafts.rest();
  return drafts;
}

function guessesOf(
  sequence: Sequence,
  { most, contextLength }: { readonly most: number; readonly contextLength: number },
): readonly Guess[] {
  const { job, generated, known, drafts } = sequence;
  const room = Math.min(most, job.maxTokens - generated - 1, contextLength - known);
  if (room <= 0) return [];
  let probability = 1;
  return drafts.propose(sequence.tokens(0, known), room).map((token) => {
    probability *= drafts.acceptance;
    return { sequence, token, probability };
  });
}

/** A later guess of a sequence is never likelier than an earlier one, so that sorting keeps their order (it is stable). */
const byProbability = (a: Guess, b: Guess): number => b.probability - a.probability;

function bestCount(
  guesses: readonly Guess[],
  sequences: number,
  { costs, groups }: { readonly costs: StepCosts; readonly groups: number },
): number {
  if (!costs.known) return guesses.length;
  const cycleMs = (rows: number): number => costs.cycle(rows * groups, groups);
  let expected = sequences;
  let best = 0;
  let bestRate = (expected / cycleMs(sequences)) * GAIN;
  guesses.forEach(({ probability }, index) => {
    expected += probability;
    const rate = expected / cycleMs(sequences + index + 1);
    if (rate <= bestRate) return;
    best = index + 1;
    bestRate = rate;
  });
  return best;
}
