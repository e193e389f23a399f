import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { completionRequestSchema, promptsOf } from "../api/completion-request.js";
import { parseRequest } from "../api/parse-request.js";
import { RequestError } from "../api/request-error.js";
import { toJobs } from "../api/to-job.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { readConstraint } from "../structured/read-constraint.js";
import type { TextModel } from "../text/text-model.js";
import { answer } from "./answer.js";
import { type CompletionPrompt, CompletionWriter } from "./completion-writer.js";
import { coordinatorFor, systemFingerprint } from "./served-model.js";

const DEFAULT_MAX_TOKENS = 16;

/** POST /v1/completions. */
export function completions(app: FastifyInstance, deps: GatewayDeps): void {
  app.post("/v1/completions", async (request, reply) => {
    const arrivedAtMs = Date.now();
    const fields = parseRequest(completionRequestSchema, request.body);
    const echo = fields.echo === true;
    if (fields.max_tokens === 0 && !echo) {
      throw new RequestError("INVALID_REQUEST", "max_tokens: 0 needs echo: true.", { param: "max_tokens" });
    }
    const coordinator = await coordinatorFor(deps, fields.model);
    const constraint = await readConstraint(deps, request.body, { leadingSpace: false });
    const prompts = promptsOf(fields).map((prompt) => readPrompt(deps.model, prompt, echo));
    const id = `cmpl-${randomUUID()}`;
    const logprobs = fields.logprobs ?? null;
    const jobs = toJobs({
      id,
      model: coordinator.model.name,
      replyTo: deps.gatewayId,
      fields,
      prompts: prompts.map(({ ids }) => ids),
      maxTokens: fields.max_tokens ?? DEFAULT_MAX_TOKENS,
      logprobs,
      promptLogprobs: echo ? logprobs : null,
      constraint,
      limits: { contextLength: coordinator.model.contextLength, vocabSize: deps.model.vocabSize },
      arrivedAtMs,
      deadlineAtMs: arrivedAtMs + deps.requestTimeoutMs,
    });
    const samples = fields.n ?? 1;
    const writer = new CompletionWriter({
      id,
      created: Math.floor(arrivedAtMs / 1000),
      modelName: fields.model ?? deps.model.name,
      fingerprint: systemFingerprint(coordinator),
      model: deps.model,
      samples,
      prompts: prompts.flatMap((prompt) => Array.from({ length: samples }, () => prompt)),
      echo,
      wantsLogprobs: logprobs !== null,
      wantsTokenIds: fields.return_token_ids === true,
      usageChunk: fields.stream_options?.include_usage === true,
    });
    return answer({ deps, reply, route: "completions", jobs, stream: fields.stream === true, writer });
  });
}

/** Token ids are taken as they are. Their text is needed for an echo only; ids outside the vocabulary are refused later. */
function readPrompt(model: TextModel, prompt: string | readonly number[], echo: boolean): CompletionPrompt {
  if (typeof prompt === "string") {
    return { ids: model.encodeText(prompt), text: prompt, hiddenSpace: model.addsLeadingSpace };
  }
  const known = echo ? prompt.filter((id) => id < model.vocabSize) : [];
  const bytes = known.map((id) => model.pieceBytes(id, { special: false }));
  return { ids: prompt, text: Buffer.concat(bytes).toString("utf8"), hiddenSpace: false };
}
