import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { IdempotencyClaim } from "../admission/idempotency-claim.js";
import type { IdempotentRecord, StoredAnswer } from "../admission/idempotency-records.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { RequestError } from "../request-error.js";
import { isGeneration, operationOf } from "./operation-of.js";
import { replayGeneration } from "./replay-generation.js";

const HEADER = "idempotency-key";
export const REPLAYED = "idempotent-replayed";
/** Longer than a request that is no generation takes; one whose gateway died blocks its key for so long. */
const SPARE_S = 60;

/** POSTs that make something do it once per Idempotency-Key: the first one's answer is every later one's. */
export function idempotency(scope: FastifyInstance, deps: GatewayDeps): void {
  scope.decorateRequest("claim", null);
  scope.addHook("preHandler", async (request, reply) => {
    const key = keyOf(request);
    if (key === undefined) return;
    const fingerprint = fingerprintOf(request);
    const digest = sha256(`${request.caller.owner}\n${key}`);
    const ttlS = Math.ceil(deps.requestTimeoutMs / 1000) + SPARE_S;
    const found = await deps.idempotency.claim(digest, { fingerprint }, ttlS);
    if (found !== null) return replay(deps, reply, found, fingerprint);
    const { idempotency: records, idempotencyTtlS, logger } = deps;
    request.claim = new IdempotencyClaim({ records, digest, fingerprint, ttlS: idempotencyTtlS, logger });
  });
  scope.addHook("onSend", async ({ claim }, reply, payload) => {
    if (claim === null) return;
    if (reply.statusCode >= 400) await claim.failed();
    else await claim.answered(storable(reply, payload));
  });
}

function storable(reply: FastifyReply, payload: unknown): StoredAnswer | null {
  if (typeof payload !== "string") return null;
  return { status: reply.statusCode, contentType: String(reply.getHeader("content-type")), body: payload };
}

/** Throws INVALID_REQUEST for a key that is none. */
function keyOf(request: FastifyRequest): string | undefined {
  const key = request.headers[HEADER];
  const operation = operationOf(request);
  const makesSomething = isGeneration(operation) || operation?.tag === "batches";
  if (key === undefined || request.method !== "POST" || !makesSomething) return undefined;
  if (typeof key === "string" && /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new RequestError("INVALID_REQUEST", "Idempotency-Key: must be 1 to 255 visible ASCII characters.", {
    param: "Idempotency-Key",
  });
}

/** A form is read by its handler as it comes; of it the length must do. */
function fingerprintOf({ method, url, body, headers }: FastifyRequest): string {
  const content = body === undefined ? `${headers["content-length"]}` : JSON.stringify(body);
  return sha256(`${method} ${url}\n${content}`);
}

async function replay(deps: GatewayDeps, reply: FastifyReply, found: IdempotentRecord, fingerprint: string) {
  if (found.fingerprint !== fingerprint) {
    deps.metrics.refused.inc({ reason: "idempotency_key" });
    const message = "Idempotency-Key: came with another request before; send a new one with each new request.";
    throw new RequestError("IDEMPOTENCY_KEY_REUSED", message, { param: "Idempotency-Key" });
  }
  const { answer, generation } = found;
  if (answer === undefined && generation === undefined) {
    deps.metrics.refused.inc({ reason: "idempotency_key" });
    const message = "The first request with this Idempotency-Key is not done yet; try again shortly.";
    throw new RequestError("IDEMPOTENCY_KEY_IN_USE", message, { headers: { "retry-after": "1" } });
  }
  deps.metrics.replayed.inc();
  reply.header(REPLAYED, "true");
  if (answer !== undefined) return reply.code(answer.status).type(answer.contentType).send(answer.body);
  return generation === undefined ? reply : replayGeneration(deps, reply, generation);
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
