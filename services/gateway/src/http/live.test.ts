import { type ApiKey, type LiveHello, type LiveTick, newApiKey, SECRET_HEADER } from "@rhone/common";
import { afterEach, describe, expect, it } from "vitest";
import { CLUSTER_SECRET, fakeGateway } from "../testing/fake-gateway.js";

const PATH = "/status/stream";
const limits = { requestsPerMinute: null, tokensPerMinute: null };
const team = newApiKey({ name: "team", ...limits });
const admin = newApiKey({ name: "boss", ...limits, isAdmin: true });
const bearer = ({ secret }: { readonly secret: string }) => ({ authorization: `Bearer ${secret}` });

let closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing) await close();
  closing = [];
});

async function listening(options: Parameters<typeof fakeGateway>[2] = {}) {
  const fake = fakeGateway(undefined, "ready", options);
  const url = await fake.app.listen({ host: "127.0.0.1", port: 0 });
  closing.push(() => fake.app.close());
  await fake.feed.look();
  return { ...fake, url };
}

/** Reads events until `count` have come, and leaves. */
async function events(
  url: string,
  headers: Record<string, string>,
  count: number,
  between: () => Promise<void> = async () => {},
) {
  const left = new AbortController();
  const response = await fetch(url + PATH, { headers, signal: left.signal });
  expect(response.status).toBe(200);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  const found = () =>
    [...text.matchAll(/event: (\w+)\ndata: (.*)\n\n/g)].map(([, name, json = ""]) => [name, JSON.parse(json)]);
  while (found().length < count) {
    const { value } = await reader.read();
    text += Buffer.from(value ?? []).toString();
    if (found().length < count) await between();
  }
  left.abort();
  return found() as unknown as readonly [["hello", LiveHello], ["tick", LiveTick], ["tick", LiveTick]];
}

describe("GET /status/stream", () => {
  it("says who asks and what there is, then each second what it is like", async () => {
    const { url, post, feed } = await listening({ keys: [team.key, admin.key] });
    const body = { prompt: "ab", max_tokens: 2 };
    const [[, hello], [, tick], [, next]] = await events(url, bearer(admin), 3, async () => {
      await post("/v1/completions", body, bearer(team));
      await feed.look();
    });
    expect(hello.gateway).toMatchObject({ models: ["tiny"], requiresKeys: true });
    expect(hello.caller).toEqual({ name: "boss", seesInside: true, isAdmin: true });
    expect(hello.events).toHaveLength(1);
    expect(tick.pipelines[0]).toMatchObject({ coordinator: "c1", workers: [{ worker: "b-7" }] });
    expect(tick.queues).toMatchObject([
      { model: "tiny", lane: "interactive", waiting: 0 },
      { model: "tiny", lane: "batch", waiting: 0 },
    ]);
    expect(next.requests).toMatchObject([{ owner: "team", state: "ok", completionTokens: 2 }]);
  });

  it("shows names and addresses to those with a key or the secret, and other keys' requests to admins", async () => {
    const { url, post } = await listening({ keys: [team.key, admin.key] });
    await post("/v1/completions", { prompt: "ab", max_tokens: 2 }, bearer(admin));
    const [[, hello]] = await events(url, bearer(team), 2);
    expect([hello.caller.isAdmin, hello.requests]).toEqual([false, []]);
    const open = await listening();
    const workerOf = async (headers: Record<string, string>) =>
      (await events(open.url, headers, 2))[1][1].pipelines[0]?.workers[0]?.worker;
    expect(await workerOf({})).toBe("worker-1");
    expect(await workerOf({ [SECRET_HEADER]: CLUSTER_SECRET })).toBe("b-7");
  });

  it.each([
    ["no key", {}],
    ["a wrong key", bearer(newApiKey(team.key))],
  ])("needs a key where requests do: not with %s", async (_, headers) => {
    const { app } = await listening({ keys: [team.key] });
    expect((await app.inject({ url: PATH, headers: headers as Record<string, string> })).statusCode).toBe(401);
  });

  it("takes two readers and no more, and a place is free again when one leaves", async () => {
    const { url, liveReaders } = await listening();
    const left = new AbortController();
    const held = Array.from({ length: 2 }, () => fetch(url + PATH, { signal: left.signal }));
    for (const response of await Promise.all(held)) expect(response.status).toBe(200);
    const refused = await fetch(url + PATH);
    expect([refused.status, ((await refused.json()) as { error: { message: string } }).error.message]).toEqual([
      429,
      expect.stringMatching(/--live-readers/),
    ]);
    left.abort();
    await expect
      .poll(() => liveReaders.admit({ stream: PATH, owner: "" }, async () => "free").catch(() => ""))
      .toBe("free");
  });

  it("ends with the gateway", async () => {
    const { url, app } = await listening();
    const response = await fetch(url + PATH);
    const whole = response.text();
    await app.close();
    expect(await whole).toMatch(/^event: hello\n/);
  });

  it("answers HEAD", async () => {
    const { app } = await listening();
    const { statusCode, headers } = await app.inject({ method: "HEAD", url: PATH });
    expect([statusCode, headers["content-type"]]).toEqual([200, "text/event-stream; charset=utf-8"]);
  });
});

const keyWith = (changes: Partial<ApiKey>): ApiKey => ({ ...team.key, ...changes });

it("is not there without the console", async () => {
  const { app } = await listening({ keys: [keyWith({})], console: false });
  for (const url of [PATH, "/console", "/console/"]) {
    expect([url, (await app.inject({ url, headers: bearer(team) })).statusCode]).toEqual([url, 404]);
  }
});
