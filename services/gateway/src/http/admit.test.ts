import { newApiKey, RhoneError, SECRET_HEADER } from "@rhone/common";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CLUSTER_SECRET, fakeGateway, hello } from "../testing/fake-gateway.js";
import { OPERATIONS } from "./openapi/operations.js";

const COMPLETIONS = "/v1/completions";
const LEFT = "x-ratelimit-remaining-requests";
const body = { prompt: "ab", max_tokens: 5 };

const team = newApiKey({ name: "team", requestsPerMinute: null, tokensPerMinute: null });
const other = newApiKey({ name: "other", requestsPerMinute: null, tokensPerMinute: null });
const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });
const guarded = () => fakeGateway(hello, "ready", { keys: [team.key, other.key] });

// Limits come back as time passes.
beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** A gateway whose one key has these limits. */
function limited(limits: { readonly requestsPerMinute?: number; readonly tokensPerMinute?: number }, script = hello) {
  const { key, secret } = newApiKey({ name: "small", requestsPerMinute: null, tokensPerMinute: null, ...limits });
  const fake = fakeGateway(script, "ready", { keys: [key] });
  const headers = bearer(secret);
  return { ...fake, headers, ask: (changes: object = {}) => fake.post(COMPLETIONS, { ...body, ...changes }, headers) };
}

describe("API keys", () => {
  it("are taken from either header, and tell whose the job is", async () => {
    const { post, jobs } = guarded();
    expect((await post(COMPLETIONS, body, bearer(team.secret))).statusCode).toBe(200);
    expect((await post(COMPLETIONS, body, { "x-api-key": other.secret })).statusCode).toBe(200);
    expect(jobs.map(({ keyId }) => keyId)).toEqual(["team", "other"]);
  });

  it.each([
    ["no key", {}, /requires an API key, as .*x-api-key\.$/],
    ["an unknown key", bearer(newApiKey(team.key).secret), /^This API key does not exist or was revoked\.$/],
    ["a key that is none", bearer("sk-proj-1"), /^This API key does not exist or was revoked\.$/],
    ["another scheme", { authorization: `Basic ${team.secret}` }, /requires an API key, as .*x-api-key\.$/],
  ])("%s: 401 as OpenAI says it, without the key in it", async (_, headers, message) => {
    const { post, jobs } = guarded();
    const response = await post(COMPLETIONS, body, headers as Record<string, string>);
    expect(response.statusCode).toBe(401);
    expect(response.headers["www-authenticate"]).toBe("Bearer");
    expect(response.json().error).toEqual({
      message: expect.stringMatching(message),
      type: "authentication_error",
      param: null,
      code: "invalid_api_key",
    });
    expect(jobs).toEqual([]);
  });

  it("that are wrong and come through a trusted proxy shut out their client, and nobody else of it", async () => {
    const trusting = fakeGateway(hello, "ready", { keys: [team.key], trustedProxies: "10.0.0.0/8" });
    const from = async ({ app }: Pick<typeof trusting, "app">, client: string, secret: string) => {
      const headers = { ...bearer(secret), "x-forwarded-for": client };
      return (await app.inject({ url: "/v1/models", headers, remoteAddress: "10.1.2.3" })).statusCode;
    };
    const wrong = newApiKey(team.key).secret;
    for (let i = 0; i < 100; i++) await from(trusting, "192.0.2.7", wrong);
    expect(await from(trusting, "192.0.2.7", wrong)).toBe(429);
    expect(await from(trusting, "192.0.2.8", team.secret)).toBe(200);
    const others = guarded();
    for (let i = 0; i < 100; i++) await from(others, "192.0.2.7", wrong);
    expect(await from(others, "192.0.2.8", team.secret)).toBe(429);
  });

  it("that are wrong are counted per address: then only those that were valid here are looked up", async () => {
    const { post } = guarded();
    const status = async (secret: string) => (await post(COMPLETIONS, body, bearer(secret))).statusCode;
    expect(await status(team.secret)).toBe(200);
    const wrong = newApiKey(team.key).secret;
    for (let i = 0; i < 100; i++) expect(await status(wrong)).toBe(401);
    const refused = await post(COMPLETIONS, body, bearer(wrong));
    expect([refused.statusCode, refused.json().code]).toEqual([429, "rate_limit_exceeded"]);
    expect(refused.headers["retry-after"]).toBe("1");
    expect(await status(team.secret)).toBe(200);
    expect(await status(other.secret)).toBe(429);
  });

  it.each([
    ["127.0.0.1", /create one with: \.\/rhone keys create NAME --data-dir \/d$/],
    ["::ffff:127.0.0.1", /create one with: \.\/rhone keys create NAME --data-dir \/d$/],
    ["::1", /create one with: \.\/rhone keys create NAME --data-dir \/d$/],
    ["192.0.2.1", /There are no keys yet; the gateway's log says how to create one\.$/],
  ])("a gateway without any tells %s how to make the first", async (remoteAddress, message) => {
    const keysCommand = "./rhone keys create NAME --data-dir /d";
    const { app } = fakeGateway(hello, "ready", { keys: [], keysCommand });
    const response = await app.inject({ method: "POST", url: COMPLETIONS, payload: body, remoteAddress });
    expect(response.json().error.message).toMatch(message);
  });

  it("are asked for at every route but those of operations", async () => {
    const { app } = guarded();
    // It has nothing but addresses.
    const shut = ["GET /metrics/targets"];
    for (const [route, { tag, path }] of Object.entries(OPERATIONS)) {
      const [method = "", url = ""] = route.split(" ");
      const request = { method: method as "GET", url: (path ?? url).replace(/:\w+/, "x") };
      const { statusCode } = await app.inject(request);
      expect([route, statusCode === 401]).toEqual([route, tag !== "operations" || shut.includes(route)]);
    }
    expect((await app.inject({ method: "HEAD", url: "/v1/models" })).statusCode).toBe(401);
    expect((await app.inject({ method: "HEAD", url: "/health" })).statusCode).toBe(200);
  });

  it("are in the OpenAPI document where they are asked for", async () => {
    const documentOf = async ({ app }: ReturnType<typeof fakeGateway>) => (await app.inject("/openapi.json")).json();
    const { paths, components } = await documentOf(guarded());
    expect(Object.keys(components.securitySchemes)).toEqual(["bearer", "apiKey"]);
    expect(paths[COMPLETIONS].post.security).toEqual([{ bearer: [] }, { apiKey: [] }]);
    expect(paths["/health"].get.security).toBeUndefined();
    expect((await documentOf(fakeGateway())).paths[COMPLETIONS].post.security).toBeUndefined();
  });

  it("without keys a client's key is of no interest", async () => {
    const { post, jobs } = fakeGateway();
    expect((await post(COMPLETIONS, body, bearer("sk-any"))).statusCode).toBe(200);
    expect(jobs[0]?.keyId).toBe("");
  });
});

describe("limits", () => {
  it("count requests, and say how many are left", async () => {
    const { ask, jobs } = limited({ requestsPerMinute: 2 });
    const answers = [await ask(), await ask(), await ask()];
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 429]);
    expect(answers.map(({ headers }) => headers["x-ratelimit-remaining-requests"])).toEqual(["1", "0", "0"]);
    const [, , refused] = answers;
    expect(refused?.headers).toMatchObject({
      "x-ratelimit-limit-requests": "2",
      "x-ratelimit-reset-requests": "1m0s",
    });
    expect(refused?.headers["retry-after"]).toBe("30");
    expect(refused?.json().error).toMatchObject({ type: "rate_limit_error", code: "rate_limit_exceeded" });
    expect(jobs.length).toBe(2);
  });

  it("set a request's tokens aside and take what it used", async () => {
    // A prompt of " ab" and at most 5 tokens, of which 2 are generated.
    const { ask } = limited({ tokensPerMinute: 100 });
    const left = async () => (await ask()).headers["x-ratelimit-remaining-tokens"];
    expect([await left(), await left()]).toEqual(["92", "87"]);
  });

  it("refuse what does not fit any more, and leave the rest to smaller requests", async () => {
    const { ask, jobs } = limited({ tokensPerMinute: 20 });
    await ask();
    const refused = await ask({ max_tokens: 17 });
    expect([refused.statusCode, refused.json().message]).toEqual([
      429,
      expect.stringMatching(/needs up to 20 .* 15 of 20/),
    ]);
    expect(refused.headers["x-ratelimit-remaining-tokens"]).toBe("15");
    expect((await ask()).statusCode).toBe(200);
    expect(jobs.length).toBe(2);
  });

  it("tell a client not to repeat what no minute is long enough for", async () => {
    const { ask } = limited({ tokensPerMinute: 20 });
    const { statusCode, headers } = await ask({ max_tokens: 30 });
    expect([statusCode, headers["x-should-retry"], headers["retry-after"]]).toEqual([429, "false", undefined]);
  });

  it("cost nothing for a request that failed before its first token", async () => {
    const { ask } = limited({ tokensPerMinute: 20 }, () => {
      throw new RhoneError("WORKER_LOST", "gone");
    });
    expect((await ask()).statusCode).toBe(503);
    expect((await ask()).headers["x-ratelimit-remaining-tokens"]).toBe("12");
  });

  it("are given back by a request whose Idempotency-Key can't be kept", async () => {
    const { ask, post, idempotency, headers } = limited({ tokensPerMinute: 20 });
    vi.spyOn(idempotency, "save").mockRejectedValueOnce(new RhoneError("REDIS_UNAVAILABLE", "Redis is away."));
    const failed = await post(COMPLETIONS, body, { ...headers, "idempotency-key": "k" });
    expect(failed.statusCode).toBe(503);
    expect((await ask()).headers["x-ratelimit-remaining-tokens"]).toBe("12");
  });

  it("come from the gateway where a key has none, and 0 lifts them", async () => {
    const usual = { requests: 7, tokens: null };
    const free = newApiKey({ name: "free", requestsPerMinute: 0, tokensPerMinute: null });
    const { post } = fakeGateway(hello, "ready", { keys: [team.key, free.key], defaultLimits: usual });
    const limitOf = async (secret: string) =>
      (await post(COMPLETIONS, body, bearer(secret))).headers["x-ratelimit-limit-requests"];
    expect([await limitOf(team.secret), await limitOf(free.secret)]).toEqual(["7", undefined]);
    const anonymous = fakeGateway(hello, "ready", { defaultLimits: usual });
    expect((await anonymous.post(COMPLETIONS, body)).headers["x-ratelimit-limit-requests"]).toBe("7");
  });

  it("are on streams too, and count neither tokenizing nor lists", async () => {
    const { ask, app, post, headers } = limited({ requestsPerMinute: 5, tokensPerMinute: 100 });
    expect((await ask({ stream: true })).headers).toMatchObject({
      "x-ratelimit-remaining-requests": "4",
      "x-ratelimit-remaining-tokens": "92",
    });
    expect((await app.inject({ url: "/v1/models", headers })).headers).not.toHaveProperty(LEFT);
    expect((await post("/tokenize", { prompt: "a" }, headers)).headers).not.toHaveProperty(LEFT);
    expect((await ask()).headers["x-ratelimit-remaining-requests"]).toBe("3");
  });
});

describe("x-request-timeout", () => {
  it("is the deadline of the job", async () => {
    const { post, jobs } = fakeGateway();
    await post(COMPLETIONS, body, { "x-request-timeout": "1.5" });
    await post(COMPLETIONS, body);
    expect(jobs.map(({ deadlineAtMs, arrivedAtMs }) => deadlineAtMs - arrivedAtMs)).toEqual([1500, 5000]);
  });

  it.each(["", "0", "-1", "soon", "6", "1e3"])("of %j is refused", async (timeout) => {
    const response = await fakeGateway().post(COMPLETIONS, body, { "x-request-timeout": timeout });
    expect([response.statusCode, response.json().param]).toEqual([400, "x-request-timeout"]);
  });
});

describe("ids and addresses", () => {
  const NAMES = /b-7|10\.0\.0\.|"c1"|"g1"/;
  const secret = { [SECRET_HEADER]: CLUSTER_SECRET };
  const seen = async (fake: ReturnType<typeof fakeGateway>, headers: Record<string, string>) => {
    const [status, ready] = await Promise.all(["/status", "/ready"].map((url) => fake.app.inject({ url, headers })));
    return [status?.body, ready?.body].map((body) => NAMES.test(body ?? ""));
  };

  it.each<[string, Record<string, string>]>([
    ["no key", {}],
    ["another secret", { [SECRET_HEADER]: "x".repeat(43) }],
  ])("are not shown with %s, where keys are asked for and where they are not", async (_, headers) => {
    for (const options of [{ keys: [team.key] }, {}]) {
      expect(await seen(fakeGateway(hello, "loading", options), headers)).toEqual([false, false]);
      expect(await seen(fakeGateway(hello, "ready", options), headers)).toEqual([false, false]);
    }
  });

  it("are shown with a key, and with the cluster's secret", async () => {
    const fake = fakeGateway(hello, "loading", { keys: [team.key] });
    expect(await seen(fake, bearer(team.secret))).toEqual([true, true]);
    expect(await seen(fake, secret)).toEqual([true, true]);
    expect(await seen(fakeGateway(hello, "loading"), secret)).toEqual([true, true]);
  });

  it("a wrong key is refused, and counted as a guess; readiness is told all the same", async () => {
    const fake = fakeGateway(hello, "ready", { keys: [team.key] });
    const headers = bearer(newApiKey(team.key).secret);
    expect((await fake.app.inject({ url: "/status", headers })).statusCode).toBe(401);
    expect((await fake.app.inject({ url: "/ready", headers })).json()).toEqual({
      status: "ready",
      models: { tiny: "ready" },
    });
  });

  it("a status without them still counts workers, and tells their layers and states", async () => {
    const { coordinators, gateway } = (await fakeGateway(hello, "loading").app.inject("/status")).json();
    expect(gateway).toEqual({
      models: [{ name: "tiny", coordinators: 1, ready: 0 }],
      startedAtMs: expect.any(Number),
    });
    expect(coordinators).toMatchObject([
      {
        coordinator: "1",
        state: "loading",
        reason: "loading",
        operations: "",
        workers: [{ worker: "worker-1", pid: 0 }],
      },
    ]);
  });
});
