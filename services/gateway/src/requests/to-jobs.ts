import { randomInt } from "node:crypto";
import type { Constraint, GenerationJob, SamplingSettings } from "@rhone/common";
import { RequestError } from "../request-error.js";
import type { GenerationFields } from "./request-fields.js";

export interface JobLimits {
  readonly contextLength: number;
  readonly vocabSize: number;
}

export interface JobsRequest {
  readonly id: string;
  readonly model: string;
  readonly replyTo: string;
  readonly fields: GenerationFields;
  readonly prompts: readonly (readonly number[])[];
  /** What refusals call a prompt; "prompt" when absent. */
  readonly paramOf?: (prompt: number) => string;
  /** undefined: as many as the context holds. */
  readonly maxTokens: number | undefined;
  readonly logprobs: number | null;
  readonly promptLogprobs: number | null;
  /** Samples per prompt. */
  readonly samples: number;
  readonly constraint: Constraint | null;
  readonly limits: JobLimits;
  readonly lane: GenerationJob["lane"];
  readonly keyId: string;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
}

/** Samples of one request: each is a job. OpenAI takes as many prompts at once. */
const MOST_JOBS = 2048;

/** One job per sample; sample s of prompt p is job p·samples + s. Throws INVALID_REQUEST and CONTEXT_LENGTH_EXCEEDED. */
export function toJobs(request: JobsRequest): GenerationJob[] {
  const { fields, prompts, limits, samples, paramOf = () => "prompt" } = request;
  checkMinTokens(fields, request.maxTokens);
  checkCount(prompts.length, samples);
  const seed = Number(BigInt.asUintN(32, BigInt(fields.seed ?? fields.random_seed ?? randomInt(2 ** 32))));
  const logitBias = biasOf(fields, limits);
  return prompts.flatMap((promptIds, prompt) => {
    const param = paramOf(prompt);
    checkIds(promptIds, limits, param);
    const maxTokens = roomFor(promptIds.length, request.maxTokens, limits, param);
    return Array.from({ length: samples }, (_, sample) => ({
      requestId: `${request.id}-${prompt * samples + sample}`,
      model: request.model,
      replyTo: request.replyTo,
      promptIds: [...promptIds],
      sampling: { ...samplingOf(fields), seed: (seed + sample) >>> 0, logitBias },
      maxTokens,
      minTokens: Math.min(fields.min_tokens ?? 0, maxTokens),
      stop: typeof fields.stop === "string" ? [fields.stop] : (fields.stop ?? []),
      stopTokenIds: fields.stop_token_ids ?? [],
      ignoreEos: fields.ignore_eos ?? false,
      constraint: request.constraint,
      includeStop: fields.include_stop_str_in_output ?? false,
      skipSpecialTokens: fields.skip_special_tokens ?? true,
      logprobs: request.logprobs,
      promptLogprobs: request.promptLogprobs,
      pooling: null,
      cachePrompt: fields.cache_prompt ?? true,
      cacheSalt: fields.cache_salt ?? "",
      lane: request.lane,
      keyId: request.keyId,
      arrivedAtMs: request.arrivedAtMs,
      deadlineAtMs: request.deadlineAtMs,
    }));
  });
}

/** Less keeps the best token alone too, and would be 0 in 32 bits. */
const LEAST_TOP_P = 1e-6;

function samplingOf(fields: GenerationFields): Omit<SamplingSettings, "seed" | "logitBias"> {
  return {
    temperature: fields.temperature ?? 1,
    topK: Math.max(0, fields.top_k ?? 0),
    topP: Math.max(LEAST_TOP_P, fields.top_p ?? 1),
    minP: fields.min_p ?? 0,
    repetitionPenalty: fields.repetition_penalty ?? 1,
    frequencyPenalty: fields.frequency_penalty ?? 0,
    presencePenalty: fields.presence_penalty ?? 0,
  };
}

function checkMinTokens({ min_tokens = 0 }: GenerationFields, asked: number | undefined): void {
  if (asked === undefined || min_tokens <= asked) return;
  const message = `min_tokens: ${min_tokens} is more than max_tokens, ${asked}.`;
  throw new RequestError("INVALID_REQUEST", message, { param: "min_tokens" });
}

function checkCount(prompts: number, samples: number): void {
  if (prompts * samples <= MOST_JOBS) return;
  const message = `prompt: ${prompts} with ${samples} samples each are more than ${MOST_JOBS}; divide the request.`;
  throw new RequestError("INVALID_REQUEST", message, { param: "prompt" });
}

function biasOf({ logit_bias = {} }: GenerationFields, { vocabSize }: JobLimits): [number, number][] {
  return Object.entries(logit_bias).map(([key, bias]) => {
    const id = Number(key);
    if (id < vocabSize) return [id, bias];
    const message = `logit_bias: token ${key} is outside the vocabulary, 0 to ${vocabSize - 1}.`;
    throw new RequestError("INVALID_REQUEST", message, { param: "logit_bias" });
  });
}

function checkIds(promptIds: readonly number[], { vocabSize }: JobLimits, param: string): void {
  if (promptIds.length === 0) {
    throw new RequestError("INVALID_REQUEST", `${param}: has no tokens; send at least one.`, { param });
  }
  const bad = promptIds.find((id) => id >= vocabSize);
  if (bad === undefined) return;
  const message = `${param}: token ${bad} is outside the vocabulary, 0 to ${vocabSize - 1}.`;
  throw new RequestError("INVALID_REQUEST", message, { param });
}

function roomFor(promptTokens: number, asked: number | undefined, { contextLength }: JobLimits, param: string): number {
  const room = contextLength - promptTokens;
  if (room >= (asked ?? 1)) return asked ?? room;
  const [wanted, remedy] = asked ? [` and max_tokens ${asked} more`, "Shorten it or max_tokens."] : ["", "Shorten it."];
  throw new RequestError(
    "CONTEXT_LENGTH_EXCEEDED",
    `The ${param} has ${promptTokens} tokens${wanted}; the model's context holds ${contextLength}. ${remedy}`,
    { param, details: { n_prompt_tokens: promptTokens, n_ctx: contextLength } },
  );
}
