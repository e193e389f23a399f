import { z } from "zod";

const tokenId = z.number().int().min(0).max(0x7fffffff);

/** How the next token is drawn. Every field is set: the gateway fills the defaults in. */
export const samplingSchema = z.object({
  /** 0 = greedy. */
  temperature: z.number().min(0),
  /** 0 = off. */
  topK: z.number().int().min(0),
  /** 1 = off. */
  topP: z.number().gt(0).max(1),
  /** 0 = off. */
  minP: z.number().min(0).max(1),
  /** 1 = off; looks at prompt and generated tokens. */
  repetitionPenalty: z.number().gt(0),
  /** 0 = off; looks at generated tokens. */
  frequencyPenalty: z.number(),
  /** 0 = off; looks at generated tokens. */
  presencePenalty: z.number(),
  /** 32 bits; the draw at position p depends on (seed, p) alone. */
  seed: z.number().int().min(0).max(0xffffffff),
  /** Added to the logits before anything else. */
  logitBias: z.array(z.tuple([tokenId, z.number()])),
});
export type SamplingSettings = Readonly<z.infer<typeof samplingSchema>>;

/** What the text must be. The gateway has tried the grammar out. */
export const constraintSchema = z.object({
  /** EBNF with a rule `root`, of the whole text that is generated. */
  grammar: z.string().min(1),
  /** The grammar holds only if this is the first token, which is no part of it; null: always. */
  trigger: tokenId.nullable(),
  /** EBNF of a text that begins with another token than the trigger; null: any text. */
  otherwise: z.string().min(1).nullable().default(null),
});
export type Constraint = Readonly<z.infer<typeof constraintSchema>>;

/**
 * One sequence to generate: what the gateway puts on the queue and a coordinator takes from it.
 * A request with n choices is n jobs.
 */
export const generationJobSchema = z.object({
  requestId: z.string().min(1).max(128),
  model: z.string(),
  /** The gateway that listens for the events (its id). */
  replyTo: z.string(),
  promptIds: z.array(tokenId).min(1),
  sampling: samplingSchema,
  /** 0 = only score the prompt. */
  maxTokens: z.number().int().min(0),
  /** End tokens and stop strings do not end the sequence before this many generated tokens. */
  minTokens: z.number().int().min(0),
  stop: z.array(z.string().min(1)),
  stopTokenIds: z.array(tokenId),
  ignoreEos: z.boolean(),
  /** End tokens always end a constrained text: they come when it is complete. */
  constraint: constraintSchema.nullable().default(null),
  /** Keep a matched stop string in the text. */
  includeStop: z.boolean(),
  /** Leave control tokens out of the text. */
  skipSpecialTokens: z.boolean(),
  /** Log-probabilities of generated tokens with this many alternatives; null = none. */
  logprobs: z.number().int().min(0).max(20).nullable(),
  /** Log-probabilities of prompt tokens with this many alternatives; null = none. */
  promptLogprobs: z.number().int().min(0).max(20).nullable(),
  /** An embedding of the prompt instead of text, with `maxTokens` 0: how its hidden states become one vector; null = none. */
  pooling: z.enum(["mean"]).nullable().default(null),
  /** Begin with what the prefix cache holds, and leave to it what is computed. */
  cachePrompt: z.boolean(),
  /** Requests share cached prefixes only with others of the same salt. */
  cacheSalt: z.string().max(256),
  lane: z.enum(["interactive", "batch"]),
  /** Fair shares are per key; "" for anonymous. */
  keyId: z.string(),
  /** Unix milliseconds. */
  arrivedAtMs: z.number(),
  /** Unix milliseconds; the sequence ends with DEADLINE_EXCEEDED when it passes. */
  deadlineAtMs: z.number(),
});
export type GenerationJob = Readonly<z.infer<typeof generationJobSchema>>;
