import { z } from "zod";
import { LANES } from "../lane.js";
import { isPackedBias } from "./packed-bias.js";
import { MOST_ROUTE } from "./prefix-links.js";
import { traceCarrierSchema } from "./trace-carrier.js";

const tokenId = z.number().int().min(0).max(0x7fffffff);

/** What the wire's f32 can hold: a number beyond becomes infinite there, and a smaller positive one 0. */
const f32 = z.number().min(-3.4e38).max(3.4e38);
const positiveF32 = f32.min(1e-44);

/** By hand: a schema of elements takes a prompt of 32,768 tokens 5 ms of the event loop, this 0.1 ms. */
const isTokenIds = (value: unknown): boolean => Array.isArray(value) && value.every(isTokenId);

const isTokenId = (id: unknown): boolean => Number.isInteger(id) && (id as number) >= 0 && (id as number) <= 0x7fffffff;

export const tokenIdsSchema = z.custom<number[]>(isTokenIds, "must be token ids");

/** How the next token is drawn. The gateway fills in the defaults. */
export const samplingSchema = z.object({
  /** 0 = greedy. */
  temperature: f32.min(0),
  /** 0 = off. */
  topK: z.number().int().min(0).max(0x7fffffff),
  /** 1 = off. */
  topP: positiveF32.max(1),
  /** 0 = off. */
  minP: z.number().min(0).max(1),
  /** 1 = off; looks at prompt and generated tokens. */
  repetitionPenalty: positiveF32,
  /** 0 = off; looks at generated tokens. */
  frequencyPenalty: f32,
  /** 0 = off; looks at generated tokens. */
  presencePenalty: f32,
  /** 32 bits; the draw at position p depends on (seed, p) alone. */
  seed: z.number().int().min(0).max(0xffffffff),
  /** Added to the logits before anything else; by `packBias`. */
  logitBias: z.custom<string>(isPackedBias, "must be token ids and numbers, packed"),
});
export type SamplingSettings = Readonly<z.infer<typeof samplingSchema>>;

/** The grammar that the text follows. The gateway has compiled it once already. */
export const constraintSchema = z.object({
  /** EBNF of the whole generated text; the start rule is `root`. */
  grammar: z.string().min(1),
  /** The grammar applies only after this first token, which is not part of it; null = always. */
  trigger: tokenId.nullable(),
  /** EBNF of a text that does not begin with the trigger; null = any text. */
  otherwise: z.string().min(1).nullable().default(null),
});
export type Constraint = Readonly<z.infer<typeof constraintSchema>>;

/**
 * One sequence to generate, put on the queue by a gateway and taken by a coordinator.
 * A request with n choices is n jobs.
 */
export const generationJobSchema = z.object({
  requestId: z.string().min(1).max(128),
  model: z.string(),
  /** The id of the gateway that listens for the events. */
  replyTo: z.string(),
  promptIds: tokenIdsSchema.refine(({ length }) => length > 0, "must have at least one"),
  sampling: samplingSchema,
  /** 0 = only score the prompt. */
  maxTokens: z.number().int().min(0),
  /** Generated tokens before end tokens and stop strings are heeded. */
  minTokens: z.number().int().min(0),
  stop: z.array(z.string().min(1)),
  stopTokenIds: z.array(tokenId),
  ignoreEos: z.boolean(),
  /** End tokens end a constrained text even with `ignoreEos`: the grammar allows them when the text is complete. */
  constraint: constraintSchema.nullable().default(null),
  /** Whether a matched stop string stays in the text. */
  includeStop: z.boolean(),
  /** Whether control tokens are left out of the text. */
  skipSpecialTokens: z.boolean(),
  /** The client is not shown the space that begins the text: no stop string may begin with it. */
  hiddenSpace: z.boolean().default(false),
  /** Log-probabilities of generated tokens with this many alternatives; null = none. */
  logprobs: z.number().int().min(0).max(20).nullable(),
  /** Log-probabilities of prompt tokens with this many alternatives; null = none. */
  promptLogprobs: z.number().int().min(0).max(20).nullable(),
  /** How hidden states become one vector: the job is an embedding, not text, and `maxTokens` is 0; null = text. */
  pooling: z.enum(["mean"]).nullable().default(null),
  /** Whether the prompt may use the prefix cache and is kept in it. */
  cachePrompt: z.boolean(),
  /** Cached prefixes are shared only among requests with the same salt. */
  cacheSalt: z.string().max(256),
  /** By which coordinators are found that hold the prompt's beginning, of `routeOf`; "" = by none. */
  route: z
    .string()
    .max(MOST_ROUTE)
    .regex(/^(\d+ \d+ \d+ [\w-]*)?$/)
    .default(""),
  lane: z.enum(LANES),
  /** Fair shares are per key id; "" = anonymous. */
  keyId: z.string(),
  /** Unix milliseconds. */
  arrivedAtMs: z.number(),
  /** Unix milliseconds; the sequence then ends with DEADLINE_EXCEEDED. */
  deadlineAtMs: z.number(),
  /** The gateway's span of which it is a part; absent: the request is not traced. */
  trace: traceCarrierSchema.exactOptional(),
});
export type GenerationJob = Readonly<z.infer<typeof generationJobSchema>>;

/** The id of the job for a choice of a request. */
export const choiceId = (request: string, choice: number): string => `${request}-${choice}`;

/** The request that the job with this id is a choice of. */
export const requestOfChoice = (id: string): string => id.replace(/-\d+$/, "");
