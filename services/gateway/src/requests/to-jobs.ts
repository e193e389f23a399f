import { randomInt } from "node:crypto";
import { type Constraint, choiceId, type GenerationJob, packBias, routeOf, type SamplingSettings } from "@rhone/common";
import { RequestError } from "../request-error.js";
import { contextExceeded } from "../text/context-exceeded.js";
import { timeLeft } from "../turns.js";
import { checkSize } from "./job-size.js";
import type { GenerationFields } from "./request-fields.js";

interface JobLimits {
  readonly contextLength: number;
  readonly vocabSize: number;
}

/** The parts of a job in which endpoints differ. */
export interface JobPlan {
  readonly prompts: readonly (readonly number[])[];
  /** How refusals name a prompt; "prompt" when absent. */
  readonly paramOf?: (prompt: number) => string;
  /** Samples per prompt. */
  readonly samples: number;
  /** undefined: until the context is full. */
  readonly maxTokens: number | undefined;
  /** With less room in the context, an answer may have as many tokens as fit, instead of being refused. */
  readonly endsWithContext?: boolean;
  readonly logprobs?: number | null;
  readonly promptLogprobs?: number | null;
  readonly constraint?: Constraint | null;
  /** The client is not shown the space that begins an answer. */
  readonly hiddenSpace?: boolean;
  readonly pooling?: GenerationJob["pooling"];
}

export interface JobsRequest {
  readonly id: string;
  /** The model's name at the coordinator. */
  readonly model: string;
  readonly replyTo: string;
  readonly arrival: Pick<GenerationJob, "lane" | "arrivedAtMs" | "deadlineAtMs"> & { readonly owner: string };
  readonly fields: GenerationFields;
  readonly plan: JobPlan;
  readonly limits: JobLimits;
}

/** Jobs of one request. OpenAI takes as many prompts at once. */
export const MOST_JOBS = 2048;

/**
 * Sample s of prompt p is job p·samples + s. In turns: 2,048 prompts of 3,900 tokens took 0.3 s of processor time.
 * Throws INVALID_REQUEST and CONTEXT_LENGTH_EXCEEDED.
 */
export async function toJobs(request: JobsRequest): Promise<readonly GenerationJob[]> {
  const { fields, plan, limits } = request;
  checkMinTokens(fields, plan.maxTokens);
  checkCount(plan.prompts.length, plan.samples);
  const seed = seedOf(fields.seed ?? fields.random_seed ?? randomInt(2 ** 32));
  const shared = {
    ...sharedFields(request),
    sampling: { ...samplingOf(fields), logitBias: biasOf(fields, limits), seed },
  };
  const jobs: GenerationJob[] = [];
  for (const [prompt, promptIds] of plan.prompts.entries()) {
    await timeLeft();
    const job = { ...shared, ...ownFields(request, promptIds, prompt) };
    jobs.push(...samplesOf(request, { ...job, route: routeOf(job) }, prompt));
  }
  await checkSize(jobs);
  return jobs;
}

/**
 * The 32 bits that draws depend on: those of a seed below 2^32, into which the upper ones of others are mixed, by the
 * finalizer of MurmurHash3. Cut off, 5 and 2^32 + 5 would be one seed, and so would -1 and 2^32 - 1.
 */
export function seedOf(given: number | bigint): number {
  const bits = BigInt.asUintN(64, BigInt(given));
  let upper = Number(bits >> 32n);
  upper = Math.imul(upper ^ (upper >>> 16), 0x85ebca6b);
  upper = Math.imul(upper ^ (upper >>> 13), 0xc2b2ae35);
  return (Number(bits & 0xffffffffn) ^ upper ^ (upper >>> 16)) >>> 0;
}

type PerPrompt = "promptIds" | "maxTokens" | "minTokens";

/** The fields in which prompts differ. */
function ownFields(
  { fields, plan, limits }: JobsRequest,
  promptIds: readonly number[],
  prompt: number,
): Pick<GenerationJob, PerPrompt> {
  const param = plan.paramOf?.(prompt) ?? "prompt";
  checkIds(promptIds, limits, param);
  const { maxTokens: asked, endsWithContext = false } = plan;
  const maxTokens = roomFor(promptIds.length, { asked, endsWithContext, contextLength: limits.contextLength, param });
  return { promptIds: [...promptIds], maxTokens, minTokens: Math.min(fields.min_tokens ?? 0, maxTokens) };
}

function samplesOf(
  { id, plan: { samples } }: JobsRequest,
  job: Omit<GenerationJob, "requestId">,
  prompt: number,
): GenerationJob[] {
  return Array.from({ length: samples }, (_, sample) => ({
    ...job,
    requestId: choiceId(id, prompt * samples + sample),
    sampling: { ...job.sampling, seed: (job.sampling.seed + sample) >>> 0 },
  }));
}

/** The fields that all jobs of a request have in common. */
function sharedFields({
  model,
  replyTo,
  arrival,
  fields,
  plan,
}: JobsRequest): Omit<GenerationJob, PerPrompt | "route" | "requestId" | "sampling"> {
  return {
    model,
    replyTo,
    stop: typeof fields.stop === "string" ? [fields.stop] : (fields.stop ?? []),
    stopTokenIds: fields.stop_token_ids ?? [],
    ignoreEos: fields.ignore_eos ?? false,
    constraint: plan.constraint ?? null,
    includeStop: fields.include_stop_str_in_output ?? false,
    skipSpecialTokens: fields.skip_special_tokens ?? true,
    hiddenSpace: plan.hiddenSpace ?? false,
    logprobs: plan.logprobs ?? null,
    promptLogprobs: plan.promptLogprobs ?? null,
    pooling: plan.pooling ?? null,
    cachePrompt: fields.cache_prompt ?? true,
    cacheSalt: fields.cache_salt ?? "",
    lane: arrival.lane,
    keyId: arrival.owner,
    arrivedAtMs: arrival.arrivedAtMs,
    deadlineAtMs: arrival.deadlineAtMs,
  };
}

/** A smaller top_p keeps the best token alone as well, and would round to 0 in 32 bits. */
const LEAST_TOP_P = 1e-6;

function samplingOf(fields: GenerationFields): Omit<SamplingSettings, "seed" | "logitBias"> {
  return {
    temperature: fields.top_p === 0 ? 0 : (fields.temperature ?? 1),
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
  const message = `min_tokens: ${min_tokens} is more than the ${asked} tokens that the answer may have.`;
  throw new RequestError("INVALID_REQUEST", message, { param: "min_tokens" });
}

function checkCount(prompts: number, samples: number): void {
  if (prompts * samples <= MOST_JOBS) return;
  const message = `prompt: ${prompts} prompts with ${samples} samples each exceed ${MOST_JOBS}; split the request.`;
  throw new RequestError("INVALID_REQUEST", message, { param: "prompt" });
}

function biasOf({ logit_bias: asked }: GenerationFields, { vocabSize }: JobLimits): string {
  if (asked === undefined) return "";
  const outside = asked.ids.find((id) => id >= vocabSize);
  if (outside === undefined) return packBias({ tokens: new Int32Array(asked.ids), values: asked.values });
  const message = `logit_bias: token ${outside} is outside the vocabulary, 0 to ${vocabSize - 1}.`;
  throw new RequestError("INVALID_REQUEST", message, { param: "logit_bias" });
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

interface Room {
  /** undefined: as many tokens as there is room for. */
  readonly asked: number | undefined;
  readonly endsWithContext: boolean;
  readonly contextLength: number;
  readonly param: string;
}

/** The tokens that an answer may have. */
function roomFor(promptTokens: number, { asked, endsWithContext, contextLength, param }: Room): number {
  const room = contextLength - promptTokens;
  if (room >= (asked ?? 1)) return asked ?? room;
  if (endsWithContext && room >= 1) return room;
  throw contextExceeded({ param, tokens: promptTokens, asked: endsWithContext ? undefined : asked, contextLength });
}
