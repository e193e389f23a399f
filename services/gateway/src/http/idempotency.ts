import { createHash, randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { CLAIM_TTL_S, IdempotencyClaim } from "../admission/idempotency-claim.js";
import type { IdempotencyRecords, IdempotentRecord, StoredAnswer } from "../admission/idempotency-records.js";
import { RequestError } from "../request-error.js";
import { leavingOf, whenSent } from "./answer.js";
import { type Following, replayGeneration } from "./follow.js";
import { isGeneration, operationOf } from "./openapi/operations.js";

/** What keeping to Idempotency-Keys takes. */
export interface IdempotencyUse extends Following {
  readonly idempotency: IdempotencyRecords;
  /** Seconds that an answer is kept. */
  readonly idempotencyTtlS: number;
  readonly requestTimeoutMs: number;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Set for the first request with an Idempotency-Key. */
    claim: IdempotencyClaim | null;
  }
}

const HEADER = "Idempotency-Key";
export const REPLAYED = "idempotent-replayed";
/** A claim may outlive the longest request by this much. */
const SPARE_S = 60;

/** A POST with an Idempotency-Key runs once; repeats get the first answer. */
export function idempotency(scope: FastifyInstance, uses: IdempotencyUse): void {
  scope.decorateRequest("claim", null);
  scope.addHook("preHandler", async (request, reply) => {
    // A form is read by its handler, which then claims its key.
    if (operationOf(request)?.takes !== undefined) return;
    return claimKey(uses, { request, reply, content: request.received?.digest() ?? "" });
  });
  scope.addHook("onSend", async ({ claim }, reply, payload) => {
    if (claim === null) return;
    if (reply.statusCode >= 400) await claim.failed();
    else await claim.answered(storable(reply, payload));
  });
}

interface Claiming {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** What the request says, or a digest of it. */
  readonly content: string;
}

/** Undefined for a request that is to run: the first with its key, or without one. Repeats are answered here. */
export async function claimKey(
  uses: IdempotencyUse,
  { request, reply, content }: Claiming,
): Promise<FastifyReply | undefined> {
  const key = keyOf(request);
  if (key === undefined) return undefined;
  const { idempotency: records, idempotencyTtlS, requestTimeoutMs, logger } = uses;
  const fingerprint = sha256(`${request.method} ${request.url}\n${content}`);
  const { owner } = request.caller;
  const digest = sha256(`${owner}\n${key}`);
  const claim = randomUUID();
  const found = await records.claim(
    digest,
    { fingerprint, claim },
    { owner, ttlS: CLAIM_TTL_S, leaving: leavingOf(reply) },
  );
  if (found !== null) return replay(uses, reply, checked(uses, found, fingerprint));
  const times = { mostS: Math.ceil(requestTimeoutMs / 1000) + SPARE_S, ttlS: idempotencyTtlS };
  request.claim = new IdempotencyClaim({ records, owner, digest, claim, fingerprint, ...times, logger });
  return undefined;
}

/** null for a stream. */
function storable(reply: FastifyReply, payload: unknown): StoredAnswer | null {
  if (typeof payload !== "string") return null;
  return { status: reply.statusCode, contentType: String(reply.getHeader("content-type")), body: payload };
}

/** undefined for requests that create nothing. Throws INVALID_REQUEST for a malformed key. */
function keyOf(request: FastifyRequest): string | undefined {
  const key = request.headers["idempotency-key"];
  const operation = operationOf(request);
  const createsSomething = isGeneration(operation) || operation?.tag === "batches";
  if (key === undefined || request.method !== "POST" || !createsSomething) return undefined;
  if (typeof key === "string" && /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  const message = `${HEADER}: must be 1 to 255 visible ASCII characters.`;
  throw new RequestError("INVALID_REQUEST", message, { param: HEADER });
}

type Replayable = Pick<IdempotentRecord, "answer" | "generation">;

/** Throws IDEMPOTENCY_KEY_REUSED for a different request, IDEMPOTENCY_KEY_IN_USE while there is nothing to repeat. */
function checked({ metrics }: IdempotencyUse, found: IdempotentRecord, fingerprint: string): Replayable {
  const isOther = found.fingerprint !== fingerprint;
  if (!isOther && (found.answer ?? found.generation) !== undefined) return found;
  metrics.refused.inc({ reason: "idempotency_key" });
  if (isOther) {
    const message = `${HEADER}: this key came with a different request before; send a new key with each new request.`;
    throw new RequestError("IDEMPOTENCY_KEY_REUSED", message, { param: HEADER });
  }
  const message = `The first request with this ${HEADER} is still running; try again shortly.`;
  throw new RequestError("IDEMPOTENCY_KEY_IN_USE", message, { headers: { "retry-after": "1" } });
}

async function replay(uses: IdempotencyUse, reply: FastifyReply, { answer, generation }: Replayable) {
  reply.header(REPLAYED, "true");
  if (answer === undefined) return generation === undefined ? reply : replayGeneration(uses, reply, generation);
  const { owner } = reply.request.caller;
  const held = uses.answers.takeNow({ bytes: Buffer.byteLength(answer.body), lane: "interactive", owner });
  whenSent(reply, () => held.release());
  uses.metrics.replayed.inc({ source: "idempotency_key", outcome: "ok" });
  return reply.code(answer.status).type(answer.contentType).send(answer.body);
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
