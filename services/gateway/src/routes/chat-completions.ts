import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { chatRequestSchema, toChatMessages } from "../api/chat-request.js";
import { parseRequest } from "../api/parse-request.js";
import { RequestError } from "../api/request-error.js";
import { toJobs } from "../api/to-job.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { readConstraint } from "../structured/read-constraint.js";
import { answer } from "./answer.js";
import { ChatWriter } from "./chat-writer.js";
import { coordinatorFor, systemFingerprint } from "./served-model.js";

/** POST /v1/chat/completions. */
export function chatCompletions(app: FastifyInstance, deps: GatewayDeps): void {
  app.post("/v1/chat/completions", async (request, reply) => {
    const arrivedAtMs = Date.now();
    const fields = parseRequest(chatRequestSchema, request.body);
    if (fields.top_logprobs !== undefined && fields.logprobs !== true) {
      throw new RequestError("INVALID_REQUEST", "top_logprobs needs logprobs: true.", { param: "top_logprobs" });
    }
    const maxTokens = fields.max_completion_tokens ?? fields.max_tokens;
    if (maxTokens === 0) {
      throw new RequestError("INVALID_REQUEST", "max_tokens: must be 1 or more.", { param: "max_tokens" });
    }
    const coordinator = await coordinatorFor(deps, fields.model);
    const constraint = await readConstraint(deps, request.body, { leadingSpace: deps.model.addsLeadingSpace });
    const promptIds = deps.model.encodeChat(toChatMessages(fields.messages));
    const id = `chatcmpl-${randomUUID()}`;
    const wantsLogprobs = fields.logprobs === true;
    const jobs = toJobs({
      id,
      model: coordinator.model.name,
      replyTo: deps.gatewayId,
      fields,
      prompts: [promptIds],
      maxTokens,
      logprobs: wantsLogprobs ? (fields.top_logprobs ?? 0) : null,
      promptLogprobs: null,
      constraint,
      limits: { contextLength: coordinator.model.contextLength, vocabSize: deps.model.vocabSize },
      arrivedAtMs,
      deadlineAtMs: arrivedAtMs + deps.requestTimeoutMs,
    });
    const writer = new ChatWriter({
      id,
      created: Math.floor(arrivedAtMs / 1000),
      modelName: fields.model ?? deps.model.name,
      fingerprint: systemFingerprint(coordinator),
      model: deps.model,
      choices: jobs.length,
      promptIds,
      wantsLogprobs,
      wantsTokenIds: fields.return_token_ids === true,
      usageChunk: fields.stream_options?.include_usage === true,
    });
    return answer({ deps, reply, route: "chat_completions", jobs, stream: fields.stream === true, writer });
  });
}
