import type { FastifyInstance } from "fastify";
import { BestOfWriter } from "../answers/best-of-writer.js";
import type { CompletionPrompt } from "../answers/completion-writer.js";
import { openWriter, type WriterRecord } from "../answers/writer-record.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { answer } from "../http/answer.js";
import { RequestError } from "../request-error.js";
import type { TextModel } from "../text/text-model.js";
import { type CompletionRequest, completionRequestSchema, promptsOf } from "./completion-request.js";
import { fillInMiddleOf } from "./fill-in-middle-of.js";
import { parseRequest } from "./parse-request.js";
import { type Arrival, arrivalNow, type PreparedRequest } from "./prepared-request.js";
import { coordinatorFor, systemFingerprint } from "./served-model.js";
import { readConstraint } from "./structured/read-constraint.js";
import { toJobs } from "./to-jobs.js";
import { truncatePrompt } from "./truncate-prompt.js";

const DEFAULT_MAX_TOKENS = 16;

/** POST /v1/completions. */
export function completions(app: FastifyInstance, deps: GatewayDeps): void {
  app.post("/v1/completions", async (request, reply) => {
    const prepared = await prepareCompletion(deps, request.body, arrivalNow(deps, request));
    return answer({ deps, reply, route: "completions", ...prepared });
  });
}

/** Reads the body of a completion. Throws what is wrong with it, MODEL_NOT_FOUND, NO_PIPELINE and REDIS_UNAVAILABLE. */
export async function prepareCompletion(deps: GatewayDeps, body: unknown, arrival: Arrival): Promise<PreparedRequest> {
  const { arrivedAtMs, deadlineAtMs, lane, owner } = arrival;
  const fields = parseRequest(completionRequestSchema, body);
  const { n, samples } = checkLimits(fields);
  const coordinator = await coordinatorFor(deps, fields.model);
  const constraint = await readConstraint(deps, body, { leadingSpace: false });
  const prompts = promptsOf(fields).map((prompt) => readPrompt(deps.model, prompt, fields));
  const id = `cmpl-${arrival.id}`;
  const echo = fields.echo === true;
  const logprobs = fields.logprobs ?? null;
  const jobs = toJobs({
    id,
    model: coordinator.model.name,
    replyTo: deps.gatewayId,
    fields,
    prompts: prompts.map(({ ids }) => ids),
    samples,
    maxTokens: fields.max_tokens ?? DEFAULT_MAX_TOKENS,
    logprobs: samples > n ? (logprobs ?? 0) : logprobs,
    promptLogprobs: mostOf(echo ? logprobs : null, fields.prompt_logprobs ?? null),
    constraint,
    limits: { contextLength: coordinator.model.contextLength, vocabSize: deps.model.vocabSize },
    lane,
    keyId: owner,
    arrivedAtMs,
    deadlineAtMs,
  });
  const record: WriterRecord = {
    kind: "completion",
    options: {
      id,
      created: Math.floor(arrivedAtMs / 1000),
      modelName: fields.model ?? deps.model.name,
      fingerprint: systemFingerprint(coordinator),
      samples: n,
      prompts: prompts.flatMap((prompt) => Array.from({ length: n }, () => prompt)),
      echo,
      logprobs,
      promptLogprobs: fields.prompt_logprobs ?? null,
      wantsTokenIds: fields.return_token_ids === true,
      tokensAsIds: fields.return_tokens_as_token_ids === true,
      runningUsage: fields.stream_options?.continuous_usage_stats === true,
      usageChunk: fields.stream_options?.include_usage === true,
    },
  };
  const writer = openWriter(record, deps.model);
  const stream = fields.stream === true;
  const resumable = fields.stream_options?.resumable === true;
  if (samples === n) return { jobs, statesLimit: true, stream, writer, record, resumable };
  const best = new BestOfWriter(writer, { prompts: prompts.length, n, samples });
  return { jobs, statesLimit: true, stream, writer: best, record: undefined, resumable };
}

/** Throws INVALID_REQUEST for what excludes each other. */
function checkLimits(fields: CompletionRequest): { readonly n: number; readonly samples: number } {
  const n = fields.n ?? 1;
  const samples = fields.best_of ?? n;
  const refuse = (param: string, problem: string) => {
    throw new RequestError("INVALID_REQUEST", `${param}${problem}`, { param });
  };
  if (fields.max_tokens === 0 && fields.echo !== true) refuse("max_tokens", ": 0 needs echo: true.");
  if (samples < n) refuse("best_of", `: must be at least n, ${n}.`);
  if (samples > n && fields.stream === true) refuse("best_of", " above n can't be streamed.");
  if (fields.prompt_logprobs !== undefined && fields.stream === true)
    refuse("prompt_logprobs", " can't be streamed; leave stream out.");
  if (fields.suffix && fields.echo === true) refuse("echo", " and suffix exclude each other.");
  return { n, samples };
}

const mostOf = (a: number | null, b: number | null): number | null => (a === null ? b : Math.max(a, b ?? 0));

/** Token ids are taken as they are. Their text is needed for an echo only; ids outside the vocabulary are refused later. */
function readPrompt(model: TextModel, prompt: string | readonly number[], fields: CompletionRequest): CompletionPrompt {
  const { suffix, add_special_tokens: addSpecial = true, truncate_prompt_tokens: most } = fields;
  if (suffix) {
    if (typeof prompt !== "string") {
      throw new RequestError("INVALID_REQUEST", "suffix needs a prompt that is text.", { param: "suffix" });
    }
    return { ids: fillInMiddleOf(model, "suffix")(prompt, suffix), text: prompt, hiddenSpace: false };
  }
  const given = typeof prompt === "string" ? model.encodeText(prompt, { addSpecial }) : prompt;
  const ids = truncatePrompt(given, most);
  if (typeof prompt === "string" && ids.length === given.length) {
    return { ids, text: prompt, hiddenSpace: model.addsLeadingSpace };
  }
  const known = fields.echo === true ? ids.filter((id) => id < model.vocabSize) : [];
  const bytes = known.map((id) => model.pieceBytes(id, { special: false }));
  return { ids, text: Buffer.concat(bytes).toString("utf8"), hiddenSpace: false };
}
