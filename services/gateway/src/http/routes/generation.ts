import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { timed, toRhoneError } from "@rhone/common";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { AnswerRoom } from "../../answers/answer-room.js";
import { refuseParam } from "../../request-error.js";
import { prepareMessages } from "../../requests/messages/prepare-messages.js";
import type { Arrival, Preparation, Prepare, PreparedRequest } from "../../requests/prepare.js";
import { prepareChat } from "../../requests/prepare-chat.js";
import { prepareCompletion } from "../../requests/prepare-completion.js";
import { prepareEmbeddings } from "../../requests/prepare-embeddings.js";
import { prepareFim } from "../../requests/prepare-fim.js";
import { type Answering, answer, type RoutedRequest } from "../answer.js";
import { waitingOf } from "../leaving.js";

export interface GenerationUse extends Preparation, Answering {
  readonly answers: AnswerRoom;
  /** Longest that a request may take, in milliseconds. */
  readonly requestTimeoutMs: number;
}

const ENDPOINTS: readonly { readonly path: string; readonly route: string; readonly prepare: Prepare }[] = [
  { path: "/v1/chat/completions", route: "chat_completions", prepare: prepareChat },
  { path: "/v1/completions", route: "completions", prepare: prepareCompletion },
  { path: "/v1/fim/completions", route: "fim_completions", prepare: prepareFim },
  { path: "/v1/messages", route: "messages", prepare: prepareMessages },
  { path: "/v1/embeddings", route: "embeddings", prepare: prepareEmbeddings },
];

/** The endpoints that use the model. */
export function generation(app: FastifyInstance, uses: GenerationUse): void {
  for (const { path, route, prepare } of ENDPOINTS) {
    app.post(path, (request, reply) =>
      generate(uses, reply, { route, prepare: (arrival) => prepare(uses, request.body, arrival) }),
    );
  }
}

export interface Generation {
  /** As the metrics name the endpoint. */
  readonly route: string;
  readonly prepare: (arrival: Arrival) => Promise<PreparedRequest & Pick<RoutedRequest, "around">>;
}

/** Prepares a request, runs it and sends its answer. */
export async function generate(uses: GenerationUse, reply: FastifyReply, { route, prepare }: Generation) {
  const { prepared, held } = await counted(uses, () => readyToRun(uses, reply, prepare));
  freeBody(reply.request);
  return answer(uses, reply, { ...prepared, route, held });
}

/** A request that never runs counts nowhere else. */
export async function counted<T>({ metrics }: Pick<GenerationUse, "metrics">, prepare: () => Promise<T>): Promise<T> {
  return prepare().catch((error: unknown) => {
    const { code, row } = toRhoneError(error);
    if (row.retryable) metrics.refused.inc({ reason: code.toLowerCase() });
    throw error;
  });
}

/** The jobs have what they need of the body, and a stream may go on for minutes. */
export function freeBody(request: FastifyRequest): void {
  request.body = undefined;
  request.received?.release();
}

/** Throws what is wrong with the request, and why it can't run now. */
async function readyToRun(uses: GenerationUse, reply: FastifyReply, prepare: Generation["prepare"]) {
  const arrival = arrivalOf(reply.request, uses.requestTimeoutMs);
  const prepared = await prepare(arrival);
  // The body is counted meanwhile, and a request that has to wait keeps no tokens of its key.
  const held = await timed(arrival.span, "find room", () =>
    uses.answers.take({ bytes: prepared.answerBytes, ...arrival }, waitingOf(reply)),
  );
  return { prepared, held };
}

/** `mostMs`: the longest that the request may take, in milliseconds. Throws INVALID_REQUEST. */
export function arrivalOf({ caller, headers, span }: FastifyRequest, mostMs: number): Arrival {
  const arrivedAtMs = Date.now();
  const deadlineAtMs = arrivedAtMs + timeoutOf(headers, mostMs);
  return { id: randomUUID(), lane: "interactive", owner: caller.owner, arrivedAtMs, deadlineAtMs, span };
}

const TIMEOUT_HEADER = "x-request-timeout";

/** How long the request may take, in milliseconds: the seconds of its header, else `mostMs`. Throws INVALID_REQUEST. */
function timeoutOf(headers: IncomingHttpHeaders, mostMs: number): number {
  const given = headers[TIMEOUT_HEADER];
  if (given === undefined) return mostMs;
  const ms = /^\d{1,9}(\.\d{1,9})?$/.test(String(given)) ? Math.ceil(Number(given) * 1000) : 0;
  if (ms >= 1 && ms <= mostMs) return ms;
  return refuseParam(TIMEOUT_HEADER, `: must be a number of seconds above 0 and at most ${mostMs / 1000}.`);
}
