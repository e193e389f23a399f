import type { FastifyInstance } from "fastify";
import { openWriter, type WriterRecord } from "../answers/writer-record.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { answer } from "../http/answer.js";
import { RequestError } from "../request-error.js";
import { fillInMiddleOf } from "./fill-in-middle-of.js";
import { fimRequestSchema } from "./fim-request.js";
import { parseRequest } from "./parse-request.js";
import { type Arrival, arrivalNow, type PreparedRequest } from "./prepared-request.js";
import { coordinatorFor, systemFingerprint } from "./served-model.js";
import { toJobs } from "./to-jobs.js";
import { truncatePrompt } from "./truncate-prompt.js";

/** POST /v1/fim/completions, Mistral's: what belongs between `prompt` and `suffix`, in the shape of a chat completion. */
export function fimCompletions(app: FastifyInstance, deps: GatewayDeps): void {
  app.post("/v1/fim/completions", async (request, reply) => {
    const prepared = await prepareFim(deps, request.body, arrivalNow(deps, request));
    return answer({ deps, reply, route: "fim_completions", ...prepared });
  });
}

/** Reads the body. Throws what is wrong with it, MODEL_NOT_FOUND, NO_PIPELINE and REDIS_UNAVAILABLE. */
export async function prepareFim(deps: GatewayDeps, body: unknown, arrival: Arrival): Promise<PreparedRequest> {
  const { arrivedAtMs, deadlineAtMs, lane, owner } = arrival;
  const fields = parseRequest(fimRequestSchema, body);
  const fill = fillInMiddleOf(deps.model, "model");
  if (fields.max_tokens === 0) {
    throw new RequestError("INVALID_REQUEST", "max_tokens: must be 1 or more.", { param: "max_tokens" });
  }
  const coordinator = await coordinatorFor(deps, fields.model);
  const promptIds = truncatePrompt(fill(fields.prompt, fields.suffix ?? ""), fields.truncate_prompt_tokens);
  const id = `cmpl-${arrival.id}`;
  const samples = fields.n ?? 1;
  const jobs = toJobs({
    id,
    model: coordinator.model.name,
    replyTo: deps.gatewayId,
    fields,
    prompts: [promptIds],
    samples,
    maxTokens: fields.max_tokens,
    logprobs: null,
    promptLogprobs: null,
    constraint: null,
    limits: { contextLength: coordinator.model.contextLength, vocabSize: deps.model.vocabSize },
    lane,
    keyId: owner,
    arrivedAtMs,
    deadlineAtMs,
  });
  const record: WriterRecord = {
    kind: "chat",
    options: {
      id,
      created: Math.floor(arrivedAtMs / 1000),
      modelName: fields.model ?? deps.model.name,
      fingerprint: systemFingerprint(coordinator),
      stripsSpace: false,
      opening: "",
      choices: samples,
      promptIds,
      wantsLogprobs: false,
      wantsPromptLogprobs: false,
      wantsTokenIds: fields.return_token_ids === true,
      tokensAsIds: false,
      runningUsage: fields.stream_options?.continuous_usage_stats === true,
      usageChunk: fields.stream_options?.include_usage === true,
      calls: null,
    },
  };
  const resumable = fields.stream_options?.resumable === true;
  const stream = fields.stream === true;
  const statesLimit = fields.max_tokens !== undefined;
  return { jobs, statesLimit, stream, writer: openWriter(record, deps.model), record, resumable };
}
