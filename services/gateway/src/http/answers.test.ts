import { EventEmitter } from "node:events";
import { createLogger, RhoneError, streamKey } from "@rhone/common";
import type { FastifyReply, FastifyRequest } from "fastify";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { completionsDialect } from "../answers/dialect.js";
import { RequestError, unsupported } from "../request-error.js";
import type { FakeCluster } from "../testing/fake-cluster.js";
import { fakeGateway, type Script } from "../testing/fake-gateway.js";
import { sendStream } from "./answer.js";
import { errorHeaders, toRequestError } from "./error-response.js";
import { leavingOf } from "./leaving.js";
import { describeUpload } from "./receive-file.js";

const COMPLETIONS = "/v1/completions";
const body = { prompt: "ab", max_tokens: 5 };

/** The samples of the request metrics that are not 0. */
async function outcomes({ metrics }: ReturnType<typeof fakeGateway>): Promise<readonly string[]> {
  const text = await metrics.registry.metrics();
  return text.split("\n").filter((line) => /^rhone_requests_(total|replayed)/.test(line));
}

const late: Script = function* () {
  yield { tokens: [72], text: " He" };
  throw new RhoneError("WORKER_LOST", "A worker is gone.");
};

describe("the outcome of a request", () => {
  it.each<[string, Script | undefined, object, string]>([
    ["whole", undefined, {}, "ok"],
    ["a stream", undefined, { stream: true }, "ok"],
    ["whole, failed", late, {}, "worker_lost"],
    ["a stream that failed late", late, { stream: true }, "worker_lost"],
    ["two choices", undefined, { n: 2 }, "ok"],
  ])("is counted once: %s", async (_, script, options, outcome) => {
    const fake = fakeGateway(script);
    await fake.post(COMPLETIONS, { ...body, ...options });
    expect(await outcomes(fake)).toEqual([
      `rhone_requests_total{model_name="tiny",route="completions",outcome="${outcome}"} 1`,
    ]);
    expect(await fake.metrics.registry.getSingleMetricAsString("rhone_requests_running")).toMatch(/ 0$/);
  });

  it("is not counted for what is refused before it runs", async () => {
    const fake = fakeGateway();
    await fake.post(COMPLETIONS, { ...body, temperature: 9 });
    expect(await outcomes(fake)).toEqual([]);
  });

  it("of a replay is the replay's own, from wherever its answer comes", async () => {
    const fake = fakeGateway();
    const key = { "idempotency-key": "a" };
    await fake.post(COMPLETIONS, body, key);
    await fake.post(COMPLETIONS, body, key);
    const options = { ...body, stream: true, stream_options: { resumable: true } };
    const { headers } = await fake.post(COMPLETIONS, options, { "idempotency-key": "b" });
    await fake.app.inject(String(headers["content-location"]));
    await fake.post(COMPLETIONS, options, { "idempotency-key": "b" });
    expect(await outcomes(fake)).toEqual([
      'rhone_requests_total{model_name="tiny",route="completions",outcome="ok"} 2',
      'rhone_requests_replayed_total{source="idempotency_key",outcome="ok"} 2',
      'rhone_requests_replayed_total{source="stream",outcome="ok"} 1',
    ]);
  });
});

describe("a resumable stream", () => {
  const options = { ...body, stream: true, stream_options: { resumable: true } };

  it("goes on when its client leaves, and so does any answer with a key; others do not", async () => {
    const fake = fakeGateway();
    const generate = vi.spyOn(fake.client as FakeCluster, "generate");
    await fake.post(COMPLETIONS, options);
    await fake.post(COMPLETIONS, { ...body, stream: true });
    await fake.post(COMPLETIONS, { ...body, stream: true }, { "idempotency-key": "a" });
    await fake.post(COMPLETIONS, body, { "idempotency-key": "b" });
    await fake.post(COMPLETIONS, body);
    const detached = generate.mock.calls.map(([, , settings]) => settings?.detached());
    expect(detached).toEqual([true, false, true, true, false]);
  });

  it("ends with a client that leaves before it knows where to resume it", async () => {
    const fake = fakeGateway();
    const generate = vi.spyOn(fake.client as FakeCluster, "generate");
    const ended = new Promise((resolve) => {
      generate.mockImplementation(async function* (_job, signal, settings) {
        await new Promise((go) => signal?.addEventListener("abort", go));
        resolve(settings?.detached());
        yield* [];
      });
    });
    const url = await fake.app.listen({ host: "127.0.0.1", port: 0 });
    onTestFinished(() => fake.app.close());
    const left = new AbortController();
    const headers = { "content-type": "application/json" };
    const request = { method: "POST", headers, body: JSON.stringify(options), signal: left.signal };
    const answer = fetch(url + COMPLETIONS, request).catch(() => "left");
    await expect.poll(() => generate.mock.calls.length).toBe(1);
    left.abort();
    expect([await answer, await ended]).toEqual(["left", false]);
  });

  it("that is refused, or fails before its first event, leaves no record in Redis", async () => {
    for (const code of ["QUEUE_FULL", "DEADLINE_EXCEEDED"] as const) {
      const { post, redis } = fakeGateway(() => {
        throw new RhoneError(code, "no");
      });
      expect((await post(COMPLETIONS, options)).json().code).toBe(code.toLowerCase());
      expect((await post(COMPLETIONS, options, { "idempotency-key": "a" })).statusCode).toBeGreaterThan(400);
      expect([...redis.texts.keys()]).toEqual([]);
    }
  });

  it("whose record gave way to others is not found", async () => {
    const { app, post, redis } = fakeGateway();
    const url = String((await post(COMPLETIONS, options)).headers["content-location"]);
    redis.texts.delete(streamKey(url.split("/").at(-1) ?? ""));
    for (const method of ["GET", "DELETE"] as const) {
      const response = await app.inject({ method, url });
      expect([response.statusCode, response.json().code]).toEqual([404, "not_found"]);
    }
  });

  it("without Redis is a stream that cannot be resumed", async () => {
    const { post, redis } = fakeGateway();
    redis.failure = new Error("connection refused");
    const response = await post(COMPLETIONS, options);
    expect(response.statusCode).toBe(200);
    expect(response.headers["content-location"]).toBeUndefined();
    expect(response.body).toMatch(/^id: 1:0:0\n/);
  });

  it("of another release is named as what it is, not as missing", async () => {
    const { app, post, redis } = fakeGateway();
    const url = String((await post(COMPLETIONS, options)).headers["content-location"]);
    const key = streamKey(url.split("/").at(-1) ?? "");
    redis.texts.set(key, JSON.stringify({ ...JSON.parse(redis.texts.get(key) ?? ""), version: 2 }));
    for (const method of ["GET", "DELETE"] as const) {
      const response = await app.inject({ method, url });
      expect([response.statusCode, response.json().code]).toEqual([503, "record_unreadable"]);
      expect(response.headers["retry-after"]).toBe("2");
    }
  });
});

describe("an idempotent answer of another release", () => {
  it("is not generated a second time", async () => {
    const { post, redis, jobs } = fakeGateway();
    const once = { "idempotency-key": "a" };
    await post(COMPLETIONS, body, once);
    for (const [key, text] of redis.texts) redis.texts.set(key, JSON.stringify({ ...JSON.parse(text), version: 2 }));
    const response = await post(COMPLETIONS, body, once);
    expect([response.statusCode, response.json().code, jobs.length]).toEqual([503, "record_unreadable", 1]);
  });
});

describe("errors of the framework", () => {
  const refused = (type?: string) =>
    ({ headers: { "content-type": type }, routeOptions: { bodyLimit: 1000 } }) as unknown as FastifyRequest;
  const failure = (code: string, statusCode?: number, message = "no") =>
    Object.assign(new Error(message), { code, ...(statusCode !== undefined && { statusCode }) });

  it.each<[string, unknown, string]>([
    ["a named error", new RhoneError("KV_FULL", "full"), "KV_FULL"],
    ["Fastify's own parser", Object.assign(new SyntaxError("x"), { statusCode: 400 }), "INVALID_JSON"],
    ["a large body", failure("FST_ERR_CTP_BODY_TOO_LARGE", 413), "BODY_TOO_LARGE"],
    ["another type", failure("FST_ERR_CTP_INVALID_MEDIA_TYPE", 415), "UNSUPPORTED_MEDIA_TYPE"],
    ["a refusal that nobody listed", failure("FST_ERR_NEW", 400), "INVALID_REQUEST"],
    ["a failure of its own", failure("FST_ERR_NEW", 500), "INTERNAL"],
    ["a body that broke off", failure("ECONNRESET", undefined, "aborted"), "CANCELLED"],
    ["a broken connection elsewhere", failure("ECONNRESET"), "INTERNAL"],
    ["a fault", new TypeError("x is not a function"), "INTERNAL"],
    ["no error at all", "thrown", "INTERNAL"],
  ])("%s", (_, error, code) => expect(toRequestError(error, refused()).code).toBe(code));

  it.each<[string, RegExp]>([
    ["FST_ERR_CTP_INVALID_MEDIA_TYPE", /^The body has no content-type; send content-type: application\/json/],
    ["FST_ERR_CTP_BODY_TOO_LARGE", /more than 1000 bytes.*RHONE_BODY_LIMIT_BYTES/],
    ["FST_ERR_NEW", /^no$/],
  ])("%s says what to do, where that is known", (code, message) => {
    expect(toRequestError(failure(code, 400), refused()).message).toMatch(message);
  });

  it("repeat the content type that is not taken", () => {
    const { message } = toRequestError(failure("FST_ERR_CTP_INVALID_MEDIA_TYPE", 415), refused("text/xml"));
    expect(message).toMatch(/^The body has the content-type text\/xml; send content-type: application\/json /);
  });

  it("that are ours are told to nobody", () => {
    const { message } = toRequestError(new Error("password is hunter2"), refused());
    expect(message).not.toContain("hunter2");
  });

  it.each<[string, RhoneError, object]>([
    ["a limit that resets", new RhoneError("QUEUE_FULL", "full"), { "retry-after": "2" }],
    ["an outage", new RhoneError("NO_PIPELINE", "none"), { "retry-after": "2" }],
    ["a refusal", new RhoneError("NOT_FOUND", "none"), {}],
    ["a timeout, which is the client's to judge", new RhoneError("DEADLINE_EXCEEDED", "late"), {}],
    ["headers of its own", new RequestError("QUEUE_FULL", "full", { headers: { a: "b" } }), { a: "b" }],
    ["an unsupported field", unsupported("x", "x: no"), {}],
  ])("have the headers of %s", (_, error, headers) => expect(errorHeaders(error)).toEqual(headers));
});

describe("an upload", () => {
  const upload = (fields: Record<string, string>) => describeUpload({ filename: "in.jsonl", fields }, "team");

  it("is its owner's, and stays until it is deleted", () => {
    expect(upload({ purpose: "batch" })).toMatchObject({ owner: "team", kind: "request", expiresAt: null });
  });

  it("expires when its form says so", () => {
    const fields = { purpose: "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": "3600" };
    const { createdAt, expiresAt } = upload(fields);
    expect(expiresAt).toBe(createdAt + 3600);
  });

  it.each<[Record<string, string>, string]>([
    [{}, "purpose"],
    [{ purpose: "fine-tune" }, "purpose"],
    [{ purpose: "batch", "expires_after[seconds]": "3600" }, "anchor"],
    [{ purpose: "batch", "expires_after[anchor]": "created_at" }, "seconds"],
    [{ purpose: "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": "60" }, "seconds"],
  ])("with %j is refused", (fields, param) => {
    expect(() => upload(fields)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST", param }));
  });
});

const about = {
  writer: { dialect: completionsDialect },
  sending: {
    sendTimeoutMs: 1000,
    pingIntervalMs: 0,
    pingWholeAnswers: false,
    logger: createLogger({ service: "test", level: "silent" }),
  },
};

it("a stream whose client is gone after the first line reads no more, and ends its events", async () => {
  let ended = false;
  const events = (async function* () {
    try {
      yield 1;
      yield 2;
    } finally {
      ended = true;
    }
  })();
  const lines = (async function* () {
    for await (const event of events) yield `data: ${event}\n\n`;
  })();
  const write = vi.fn();
  const raw = { destroyed: true, writeHead: vi.fn(), write, end: vi.fn() };
  const reply = { raw, hijack: () => reply, getHeaders: () => ({}), request: { id: "r" } };
  await sendStream(reply as unknown as FastifyReply, { ...about, events, lines });
  expect(ended).toBe(true);
  expect(write).not.toHaveBeenCalled();
});

it("a client that reads nothing for the longest time is hung up on", async () => {
  const events = (async function* () {
    for (;;) yield 1;
  })();
  const lines = (async function* () {
    for await (const event of events) yield `data: ${event}\n\n`;
  })();
  const destroy = (): void => {
    raw.destroyed = true;
    raw.emit("close");
  };
  const full = { destroyed: false, writeHead: vi.fn(), write: () => false, end: vi.fn(), destroy };
  const raw = Object.assign(new EventEmitter(), full);
  const reply = { raw, hijack: () => reply, getHeaders: () => ({}), request: { id: "r" } };
  await sendStream(reply as unknown as FastifyReply, {
    ...about,
    events,
    lines,
    sending: { ...about.sending, sendTimeoutMs: 20 },
  });
  expect(raw.destroyed).toBe(true);
  expect(await events.next()).toEqual({ done: true, value: undefined });
});

it.each([
  ["before it is asked for", true],
  ["later", false],
])("a client's leaving is noticed: %s", (_, destroyed) => {
  const raw = Object.assign(new EventEmitter(), { destroyed });
  const leaving = leavingOf({ raw } as unknown as FastifyReply);
  expect(leaving.aborted).toBe(destroyed);
  raw.emit("close");
  expect(leaving.reason).toMatchObject({ code: "CANCELLED" });
});
