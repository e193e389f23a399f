import type { FastifyInstance } from "fastify";
import { openWriter, type WriterRecord } from "../answers/writer-record.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { answer } from "../http/answer.js";
import { RequestError } from "../request-error.js";
import { type ChatRequest, chatRequestSchema } from "./chat-request.js";
import { toConversation } from "./conversation.js";
import { parseRequest } from "./parse-request.js";
import { type Arrival, arrivalNow, type PreparedRequest } from "./prepared-request.js";
import { coordinatorFor, systemFingerprint } from "./served-model.js";
import { readConstraint } from "./structured/read-constraint.js";
import { toJobs } from "./to-jobs.js";
import { announcement, callRules } from "./tools/call-rules.js";
import { toToolUse } from "./tools/tool-use.js";
import { truncatePrompt } from "./truncate-prompt.js";

/** POST /v1/chat/completions. */
export function chatCompletions(app: FastifyInstance, deps: GatewayDeps): void {
  app.post("/v1/chat/completions", async (request, reply) => {
    const prepared = await prepareChat(deps, request.body, arrivalNow(deps, request));
    return answer({ deps, reply, route: "chat_completions", ...prepared });
  });
}

/** Reads the body of a chat completion. Throws what is wrong with it, MODEL_NOT_FOUND, NO_PIPELINE and REDIS_UNAVAILABLE. */
export async function prepareChat(deps: GatewayDeps, body: unknown, arrival: Arrival): Promise<PreparedRequest> {
  const { arrivedAtMs, deadlineAtMs, lane, owner } = arrival;
  const fields = parseRequest(chatRequestSchema, body);
  const maxTokens = checkLimits(fields);
  const coordinator = await coordinatorFor(deps, fields.model);
  const use = toToolUse(fields);
  const { messages, options, continued, showsContinued } = toConversation(fields, use?.tools);
  // What is generated after a text has the space that belongs between them, unless the text brings its own.
  const stripsSpace = deps.model.addsLeadingSpace && (!continued || continued.endsWith(" "));
  if (use?.forced && continued !== undefined)
    refuse("tool_choice", ": an answer that goes on from a text can't be a call.");
  const calls = use === undefined || continued !== undefined ? undefined : callRules(use, deps.model.callToken);
  const constraint = await readConstraint(deps, body, { leadingSpace: stripsSpace, calls });
  const encoded = truncatePrompt(deps.model.encodeChat(messages, options), fields.truncate_prompt_tokens);
  const promptIds = calls === undefined ? encoded : [...encoded, ...announcement(calls.format)];
  const id = `chatcmpl-${arrival.id}`;
  const wantsLogprobs = fields.logprobs === true;
  const samples = fields.n ?? 1;
  const jobs = toJobs({
    id,
    model: coordinator.model.name,
    replyTo: deps.gatewayId,
    fields,
    prompts: [promptIds],
    samples,
    maxTokens,
    logprobs: wantsLogprobs ? (fields.top_logprobs ?? 0) : null,
    promptLogprobs: fields.prompt_logprobs ?? null,
    constraint,
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
      stripsSpace,
      opening: showsContinued ? (continued ?? "") : "",
      choices: samples,
      promptIds,
      wantsLogprobs,
      wantsPromptLogprobs: fields.prompt_logprobs !== undefined,
      wantsTokenIds: fields.return_token_ids === true,
      tokensAsIds: fields.return_tokens_as_token_ids === true,
      runningUsage: fields.stream_options?.continuous_usage_stats === true,
      usageChunk: fields.stream_options?.include_usage === true,
      calls: calls?.format ?? null,
    },
  };
  const resumable = fields.stream_options?.resumable === true;
  const stream = fields.stream === true;
  const statesLimit = maxTokens !== undefined;
  return { jobs, statesLimit, stream, writer: openWriter(record, deps.model), record, resumable };
}

/** The tokens asked for. Throws INVALID_REQUEST. */
function checkLimits(fields: ChatRequest): number | undefined {
  if (fields.top_logprobs !== undefined && fields.logprobs !== true) refuse("top_logprobs", " needs logprobs: true.");
  if (fields.prompt_logprobs !== undefined && fields.stream === true)
    refuse("prompt_logprobs", " can't be streamed; leave stream out.");
  const maxTokens = fields.max_completion_tokens ?? fields.max_tokens;
  if (maxTokens === 0) refuse("max_tokens", ": must be 1 or more.");
  return maxTokens;
}

function refuse(param: string, problem: string): never {
  throw new RequestError("INVALID_REQUEST", `${param}${problem}`, { param });
}
