import { createHash, randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { CLAIM_TTL_S, IdempotencyClaim, UNQUEUED_TTL_S } from "../admission/idempotency-claim.js";
import type {
  ClaimedKey,
  IdempotencyRecords,
  IdempotentRecord,
  StoredAnswer,
  StoredGeneration,
} from "../admission/idempotency-records.js";
import { addressesOf, isInBackground } from "../answers/stream-records.js";
import { RequestError } from "../request-error.js";
import { whenSent } from "./answer.js";
import { type Following, replayGeneration } from "./follow.js";
import { leavingOf } from "./leaving.js";
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
  const claimant = { owner, ttlS: CLAIM_TTL_S, leaving: leavingOf(reply) };
  for (;;) {
    const found = await records.claim(digest, { fingerprint, claim }, claimant);
    if (found === null) break;
    const { answer, generation } = checked(uses, found, fingerprint);
    const first = { owner, digest, claim: found.claim ?? "" }; // records of earlier versions have none
    if (answer !== undefined) return replayAnswer(uses, reply, answer);
    if (generation !== undefined && !(await isGone(uses, first, generation))) {
      reply.header(REPLAYED, "true");
      const onLost = () => void records.release(first).catch((err: unknown) => logger.warn({ err }, "key not freed"));
      return replayGeneration(uses, reply, { ...generation, onLost });
    }
    await records.release(first);
  }
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

/** Throws IDEMPOTENCY_KEY_REUSED for a different request, IDEMPOTENCY_KEY_IN_USE while there is nothing to repeat. */
function checked({ metrics }: IdempotencyUse, found: IdempotentRecord, fingerprint: string): IdempotentRecord {
  if (found.fingerprint === fingerprint) {
    if ((found.answer ?? found.generation) !== undefined) return found;
    throw inUse(metrics);
  }
  metrics.refused.inc({ reason: "idempotency_key" });
  const message = `${HEADER}: this key came with a different request before; send a new key with each new request.`;
  throw new RequestError("IDEMPOTENCY_KEY_REUSED", message, { param: HEADER });
}

function inUse(metrics: IdempotencyUse["metrics"]): RequestError {
  metrics.refused.inc({ reason: "idempotency_key" });
  const message = `The first request with this ${HEADER} is still running; try again shortly.`;
  return new RequestError("IDEMPOTENCY_KEY_IN_USE", message, { headers: { "retry-after": "1" } });
}

/**
 * Whether there is no job and no log of a generation: its request runs again. Throws IDEMPOTENCY_KEY_IN_USE for one
 * that is not queued yet: its gateway is about to, or has died, and the key is free within `CLAIM_TTL_S`.
 */
async function isGone(
  { client, idempotency: records, metrics }: IdempotencyUse,
  { digest, claim }: ClaimedKey,
  { record }: StoredGeneration,
): Promise<boolean> {
  if (claim === "" || isInBackground(record)) return false;
  if ((await client.stateOf(addressesOf(record))) !== "absent") return false;
  if ((await records.ttlS(digest)) <= UNQUEUED_TTL_S - CLAIM_TTL_S) return true;
  throw inUse(metrics);
}

function replayAnswer(uses: IdempotencyUse, reply: FastifyReply, { status, contentType, body }: StoredAnswer) {
  reply.header(REPLAYED, "true");
  const { owner } = reply.request.caller;
  const held = uses.answers.takeNow({ bytes: Buffer.byteLength(body), lane: "interactive", owner });
  whenSent(reply, () => held.release());
  uses.metrics.replayed.inc({ source: "idempotency_key", outcome: "ok" });
  return reply.code(status).type(contentType).send(body);
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
