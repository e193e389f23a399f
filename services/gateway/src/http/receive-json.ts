import { createHash, type Hash } from "node:crypto";
import { type Readable, Transform, type TransformCallback } from "node:stream";
import { createGunzip, type Gunzip } from "node:zlib";
import { RhoneError } from "@rhone/common";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { parse } from "secure-json-parse";
import { jsonProblem, parseInTurns } from "../parse-in-turns.js";
import { cut, RequestError } from "../request-error.js";
import { exactIntegers } from "../requests/exact-integers.js";
import { JsonShape } from "../requests/json-shape.js";
import { ownTurn, timeLeft } from "../turns.js";
import { Utf8Check } from "../utf8-check.js";
import { needsNoBody, operationOf } from "./openapi/operations.js";

/** Bodies up to this size always find room. */
const SMALL_BYTES = 64 * 1024;
/**
 * Larger ones are read in turns, which all of them share: piece by piece, then the JSON, then its fields. 100 of 1 MB
 * were parsed in one turn of 200 ms of processor time; the fields of 16 with 128 tools each took one of 256 ms.
 */
const TURN_BYTES = 16 * 1024;

declare module "fastify" {
  interface FastifyRequest {
    /** The JSON body as it arrived; null for requests without one. */
    received: ReceivedBody | null;
  }
}

/**
 * Checks JSON bodies as they arrive, before they are parsed: their shape, and the memory that all of them take. Of a
 * body in gzip, both are those of the inflated one, which `bodyLimit` bounds too.
 */
export function receiveJson(app: FastifyInstance, mostBytes: number): void {
  const room = new BodyRoom(mostBytes);
  app.decorateRequest("received", null);
  // openai-python sends a content type with every request.
  app.addHook("onRequest", async (request) => {
    if (!hasBody(request) && needsNoBody(operationOf(request))) delete request.headers["content-type"];
  });
  // Not async: the parser must listen to the body before its first piece comes, which may fail.
  app.addHook("preParsing", (request, reply, payload, done) => {
    const encoding = encodingOf(request);
    if (encoding !== "none" && (encoding !== "gzip" || !isJson(request))) return done(foreignEncoding(encoding));
    if (!isJson(request)) return done(null, payload);
    const received = new ReceivedBody(room, request.headers["idempotency-key"] !== undefined);
    request.received = received;
    // A client that leaves ends a response too, which is then closed without being finished.
    reply.raw.once("close", () => received.release());
    // A client that left gets no answer, and writing one takes longer than reading the next request.
    payload.once("error", () => {});
    // A body that is refused by its length has no reader, and may be costly too.
    received.on("error", () => {});
    done(null, encoding === "gzip" ? inflate(payload, received, reply) : payload.pipe(received));
  });
  parseJson(app);
  app.addHook("preValidation", async ({ received }) => {
    // Small ones too: the look-ups of many callers' keys may end at once.
    if (received !== null) await (received.bytes > TURN_BYTES ? ownTurn() : timeLeft());
  });
}

/** Large bodies in turns, and others at once. */
function parseJson(app: FastifyInstance): void {
  // Fastify's own for text would take bodies that nobody counts: 200 of 8 MiB took 1.7 GB.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>(
    "application/json",
    { parseAs: "string" },
    async (request: FastifyRequest, body: string) => {
      if (body === "" && needsNoBody(operationOf(request))) return undefined;
      if (body === "") throw new RhoneError("INVALID_JSON", "The body is empty; send a JSON object.");
      try {
        const value = body.length <= SMALL_BYTES ? parse(body) : await parseInTurns(body);
        await exactIntegers(body, value);
        return value;
      } catch (error) {
        throw new RhoneError("INVALID_JSON", `The body ${jsonProblem(error)}.`);
      }
    },
  );
}

const hasBody = ({ headers }: FastifyRequest): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

/** Of the body; "none" also for a request without one. */
function encodingOf(request: FastifyRequest): string {
  const encoding = request.headers["content-encoding"]?.trim().toLowerCase() ?? "";
  if (encoding === "" || encoding === "identity" || !hasBody(request)) return "none";
  return encoding === "x-gzip" ? "gzip" : encoding;
}

function foreignEncoding(encoding: string): RequestError {
  const found = `The body has the content-encoding ${cut(encoding, 100)}`;
  const message = `${found}; send JSON without one or with gzip, and files without one.`;
  return new RequestError("UNSUPPORTED_MEDIA_TYPE", message, { headers: { "accept-encoding": "gzip" } });
}

/** Inflates a body on its way, no further than its answer. */
function inflate(payload: Readable, received: ReceivedBody, { raw }: FastifyReply): ReceivedBody {
  const gunzip = createGunzip();
  received.inflatedFrom = gunzip;
  gunzip.once("error", ({ message }) => {
    const problem = `The body is no gzip, which its content-encoding says that it is: ${message}.`;
    received.destroy(new RhoneError("INVALID_REQUEST", problem));
  });
  // 8 KB may hold 8 MB; what is refused, or whose client left, is inflated no more.
  raw.once("close", () => gunzip.destroy());
  return payload.pipe(gunzip).pipe(received);
}

const isJson = ({ headers }: FastifyRequest): boolean =>
  headers["content-type"]?.trimStart().toLowerCase().startsWith("application/json") === true;

/** A text of another encoding would be read with U+FFFD in the place of its letters. */
const notUtf8 = (): RhoneError =>
  new RhoneError("INVALID_JSON", "The body is not UTF-8, as JSON must be whatever its content-type says; encode it.");

/** The bytes of large bodies that are being received or prepared, over all requests. */
class BodyRoom {
  readonly #most: number;
  #held = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Throws GATEWAY_BUSY. */
  take(bytes: number): void {
    if (this.#held + bytes > this.#most) {
      const held = `The gateway holds ${this.#held} bytes of large request bodies, and ${this.#most} at most`;
      throw new RhoneError("GATEWAY_BUSY", `${held}; try again shortly, or raise --bodies-bytes.`);
    }
    this.#held += bytes;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}

/**
 * A body on its way to the parser. Fails with INVALID_REQUEST for a costly shape, INVALID_JSON for other bytes than
 * UTF-8, and GATEWAY_BUSY without room.
 */
export class ReceivedBody extends Transform {
  /** Absent: it arrives as it is. */
  inflatedFrom?: Gunzip;
  readonly #room: BodyRoom;
  readonly #shape = new JsonShape();
  readonly #utf8 = new Utf8Check();
  readonly #hash: Hash | null;
  #bytes = 0;
  #held = 0;
  #isReleased = false;

  constructor(room: BodyRoom, isHashed: boolean) {
    super();
    this.#room = room;
    this.#hash = isHashed ? createHash("sha256") : null;
  }

  /** Bytes that have arrived, inflated. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that arrived of a body in gzip. Fastify compares them with the content-length. */
  get receivedEncodedLength(): number {
    return this.inflatedFrom?.bytesWritten ?? 0;
  }

  /** SHA-256 of the bytes, once all have arrived; "" unless it was asked for. For one call. */
  digest(): string {
    return this.#hash?.digest("hex") ?? "";
  }

  /** Counts bytes that were read for the request, until the body is released. Throws GATEWAY_BUSY. */
  add(bytes: number): void {
    if (this.#isReleased) return;
    this.#room.take(bytes);
    this.#held += bytes;
  }

  /** The body is needed no longer. Further calls do nothing. */
  release(): void {
    this.#isReleased = true;
    this.#room.give(this.#held);
    this.#held = 0;
  }

  override _transform(bytes: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += bytes.length;
    const goOn = () => {
      try {
        this.#check(bytes);
        done(null, bytes);
      } catch (error) {
        done(error as Error);
      }
    };
    if (this.#bytes <= TURN_BYTES) goOn();
    else void timeLeft().then(goOn);
  }

  /** The parser reads the whole body when this one ends, and many may end at once. */
  override _flush(done: TransformCallback): void {
    const end = () => done(this.#utf8.end() ? null : notUtf8());
    if (this.#bytes <= TURN_BYTES) end();
    else void ownTurn().then(end);
  }

  #check(bytes: Buffer): void {
    const cost = this.#shape.push(bytes);
    if (cost !== null) throw new RequestError("INVALID_REQUEST", `The body ${cost}`);
    if (!this.#utf8.push(bytes)) throw notUtf8();
    this.#hold();
    this.#hash?.update(bytes);
  }

  #hold(): void {
    if (this.#bytes <= SMALL_BYTES || this.#isReleased) return;
    const more = this.#bytes - this.#held;
    this.#room.take(more);
    this.#held += more;
  }
}
