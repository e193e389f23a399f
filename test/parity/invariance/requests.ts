import fc from "fast-check";

/** A completion as a client asks for it. */
export interface Request {
  /** Token ids, or text. */
  readonly prompt: readonly number[] | string;
  readonly [field: string]: unknown;
}

/** The synthetic vocabulary's pieces that are no bytes and no marks: 259 to 511. */
const token = fc.integer({ min: 259, max: 511 });
const BASES = fc.sample(fc.array(token, { minLength: 60, maxLength: 60 }), { numRuns: 4, seed: 1 });

/** Prompts that begin alike for up to 60 tokens, so that pages of one are the prefix of another. */
const prompt = fc
  .tuple(fc.constantFrom(...BASES), fc.nat({ max: 60 }), fc.array(token, { minLength: 1, maxLength: 20 }))
  .map(([base, shared, own]) => [1, ...base.slice(0, shared), ...own]);

const GREEDY = { temperature: 0 };
const seed = fc.nat({ max: 1e6 });
const sampling = fc.oneof(
  fc.constant(GREEDY),
  fc.constant({ ...GREEDY, repetition_penalty: 1.2 }),
  seed.map((seed) => ({ temperature: 0.8, seed })),
  seed.map((seed) => ({ temperature: 1.1, top_k: 40, top_p: 0.9, seed })),
  seed.map((seed) => ({ temperature: 1, min_p: 0.05, frequency_penalty: 0.5, presence_penalty: 0.2, seed })),
);
const scores = fc.constantFrom({}, {}, { logprobs: 0 }, { logprobs: 5 }, { logprobs: 3, echo: true });

/** Requests of one seed: greedy and drawn, a third without scores, a fifth with scores of the prompt too. */
export const requestsOf = (count: number, seed: number): readonly Request[] =>
  fc.sample(
    fc
      .record({ prompt, sampling, scores, max_tokens: fc.integer({ min: 12, max: 48 }) })
      .map(({ prompt, sampling, scores, max_tokens }) => ({ prompt, max_tokens, ...sampling, ...scores })),
    { numRuns: count, seed },
  );
