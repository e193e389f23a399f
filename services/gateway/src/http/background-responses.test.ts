import { newApiKey, RhoneError } from "@rhone/common";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { keepsTo } from "../../../../test/schemas/keeps-to.js";
import * as official from "../../../../test/schemas/openai-responses.js";
import { BackgroundResponses } from "../responses/background-responses.js";
import { type FakeOptions, fakeGateway, hello, type Script } from "../testing/fake-gateway.js";

const PATH = "/v1/responses";
const lease = async () => ({ lost: new AbortController().signal, release: async () => {} });

const background = (options: FakeOptions = {}, script?: Script) => {
  const gateway = fakeGateway(script, "ready", { takeLease: lease, ...options });
  gateway.background.start();
  gateway.app.addHook("onClose", () => gateway.background.close());
  const read = async (id: string) => (await gateway.app.inject(`${PATH}/${id}`)).json();
  return { ...gateway, read };
};

it("a response in the background is answered at once, and completed without its client", async () => {
  const { app, post, read, redis } = background();
  const queued = (await post(PATH, { input: "hi", background: true })).json();
  keepsTo(queued, official.response);
  expect(queued).toMatchObject({ status: "queued", output: [] });
  await vi.waitFor(async () => expect(await read(queued.id)).toMatchObject({ status: "completed" }));
  keepsTo(await read(queued.id), official.response);
  await vi.waitFor(() => expect(redis.members.size).toBe(0));
  expect(JSON.stringify([...redis.texts.values()])).not.toContain("promptIds");
  await app.close();
});

const broken: Script = function* () {
  yield { tokens: [72], text: " He" };
  throw new RhoneError("STAGE_FAILED", "Lost.");
};

it("a response in the background that fails says so", async () => {
  const { app, post, read } = background({}, broken);
  const { id } = (await post(PATH, { input: "hi", background: true })).json();
  const error = { code: "server_error", message: "Lost." };
  await vi.waitFor(async () => expect(await read(id)).toMatchObject({ status: "failed", error }));
  await app.close();
});

it("a response in the background begins again after an outage, with another job", async () => {
  const once = outage(hello);
  const { app, post, read, jobs } = background({}, once);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const { id } = (await post(PATH, { input: "hi", background: true })).json();
  for (let turn = 0; turn < 20 && jobs.length < 2; turn++) await vi.advanceTimersByTimeAsync(1000);
  vi.useRealTimers();
  await vi.waitFor(async () => expect(await read(id)).toMatchObject({ status: "completed" }));
  expect(jobs.map(({ requestId }) => requestId)).toEqual([`${id}-0`, `${id}-0-r1`]);
  await app.close();
});

/** Fails the first job. */
function outage(script: Script): Script {
  return function* (job) {
    if (!job.requestId.endsWith("-r1")) throw new RhoneError("WORKER_LOST", "Lost.");
    yield* script(job);
  };
}

it("a response in the background waits for a gateway, and any takes it", async () => {
  const { app, post, background: runner } = fakeGateway(undefined, "ready", { takeLease: lease });
  const { id } = (await post(PATH, { input: "hi", background: true })).json();
  const now = async () => (await app.inject(`${PATH}/${id}`)).json().status;
  expect(await now()).toBe("queued");
  runner.start();
  await vi.waitFor(async () => expect(await now()).toBe("completed"));
  await runner.close();
});

it("a response in the background is cancelled while it waits, and by its deletion", async () => {
  const { app, post, cancelled, redis } = fakeGateway();
  const { id } = (await post(PATH, { input: "hi", background: true })).json();
  const ended = (await app.inject({ method: "POST", url: `${PATH}/${id}/cancel` })).json();
  expect(ended).toMatchObject({ id, status: "cancelled" });
  expect((await app.inject(`${PATH}/${id}`)).json()).toEqual(ended);
  const { id: other } = (await post(PATH, { input: "hi", background: true })).json();
  await app.inject({ method: "DELETE", url: `${PATH}/${other}` });
  expect(cancelled).toEqual([`${id}-0`, `${other}-0`]);
  expect(redis.members.size).toBe(0);
  const whole = (await post(PATH, { input: "hi" })).json();
  expect((await app.inject({ method: "POST", url: `${PATH}/${whole.id}/cancel` })).statusCode).toBe(400);
});

it.each([
  ["that has ended", hello],
  ["in an outage", broken],
])("a response %s, cancelled before that is kept, stays cancelled", async (_, script) => {
  let cancel = () => {};
  const { app, post, read, redis, jobs } = background({}, function* (job) {
    cancel();
    yield* script(job);
  });
  cancel = () => {
    for (const [key, text] of redis.texts)
      redis.texts.set(key, text.replace('"status":"queued"', '"status":"cancelled"'));
  };
  const { id } = (await post(PATH, { input: "hi", background: true })).json();
  await vi.waitFor(() => expect(redis.members.size).toBe(0));
  expect(await read(id)).toMatchObject({ status: "cancelled", error: null, output: [{ role: "assistant" }] });
  expect(jobs).toHaveLength(1);
  await app.close();
});

describe("of its key's tokens a response in the background", () => {
  // Tokens come back as time passes.
  beforeEach(() => {
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now());
    return () => clock.mockRestore();
  });

  const { key, secret } = newApiKey({ name: "small", requestsPerMinute: null, tokensPerMinute: 1000 });

  /** A response of 3 tokens of prompt and up to 40 of answer, which no gateway follows yet. */
  async function queued(script?: Script) {
    const gateway = fakeGateway(script, "ready", { keys: [key], takeLease: lease });
    const left = async () => {
      const small = { owner: "small", limits: { requests: null, tokens: 1000 } };
      return (await gateway.limits.reserveTokens(small, 0))?.standing.remaining;
    };
    const headers = { authorization: `Bearer ${secret}` };
    const ask = () => gateway.post(PATH, { input: "hi", background: true, max_output_tokens: 40 }, headers);
    const end = (method: "POST" | "DELETE", path: string) =>
      gateway.app.inject({ method, url: `${PATH}/${path}`, headers });
    return { ...gateway, left, ask, end };
  }

  it.each<[string, Script, number]>([
    ["uses its prompt's and answer's", hello, 1000 - 3 - 2],
    ["uses those that it had before it failed", broken, 1000 - 3 - 1],
    [
      "uses none when it fails before its first",
      () => {
        throw new RhoneError("STAGE_FAILED", "Lost.");
      },
      1000,
    ],
  ])("%s, and gives the others back at its end, by whichever gateway follows it", async (_, script, rest) => {
    const gateway = await queued(script);
    await gateway.ask();
    expect(await gateway.left()).toBe(1000 - 3 - 40);
    const other = new BackgroundResponses({ ...gateway, takeLease: lease, gatewayId: "g2" });
    other.start();
    await vi.waitFor(async () => expect(await gateway.left()).toBe(rest));
    await other.close();
  });

  it.each<[string, "POST" | "DELETE", (id: string) => string]>([
    ["cancelled", "POST", (id) => `${id}/cancel`],
    ["deleted", "DELETE", (id) => id],
  ])("gives all back when it is %s before it began", async (_, method, pathOf) => {
    const { left, ask, end } = await queued();
    const { id } = (await ask()).json();
    expect(await left()).toBe(1000 - 3 - 40);
    expect((await end(method, pathOf(id))).statusCode).toBe(200);
    expect(await left()).toBe(1000);
  });

  it("keeps none where it can't be stored", async () => {
    const { left, ask, redis } = await queued();
    redis.failure = new Error("away");
    expect((await ask()).statusCode).toBe(503);
    expect(await left()).toBe(1000);
  });
});

describe("a stream whose gateway died before it kept the answer", () => {
  /** As the gateway's record was at the first event. */
  async function orphan(options: object) {
    const gateway = background();
    const { body } = await gateway.post(PATH, { input: "hi", stream: true, ...options });
    const [id = ""] = /resp_[0-9a-f]{32}/.exec(body) ?? [];
    const [[key, text] = ["", ""]] = [...gateway.redis.texts].filter(([each]) => each.endsWith(id));
    const record = JSON.parse(text);
    record.response = { ...record.response, status: "in_progress", output: [], usage: null };
    gateway.redis.texts.set(key, JSON.stringify(record));
    return { ...gateway, id, key, record };
  }

  it.each([{}, { stream_options: { resumable: true } }])("%o: is finished when it is asked for", async (options) => {
    const { app, post, read, id, redis } = await orphan(options);
    const refused = await post(PATH, { input: "more", previous_response_id: id });
    expect([refused.statusCode, refused.json().param]).toEqual([400, "previous_response_id"]);
    await vi.waitFor(async () => expect(await read(id)).toMatchObject({ status: "completed", output: [{}] }));
    await vi.waitFor(() => expect(redis.members.size).toBe(0));
    expect((await post(PATH, { input: "more", previous_response_id: id })).statusCode).toBe(200);
    await app.close();
  });

  it("is failed once it can't be finished, and can be continued then", async () => {
    const { app, post, read, id, key, record, redis, jobs } = await orphan({});
    record.generation.deadlineAtMs = 0;
    redis.texts.set(key, JSON.stringify(record));
    jobs.length = 0; // its token log is gone
    expect(await read(id)).toMatchObject({ status: "failed", error: { code: "server_error" } });
    expect((await post(PATH, { input: "more", previous_response_id: id })).statusCode).toBe(200);
    await app.close();
  });
});

it("an unfinished response can't be continued", async () => {
  const { post } = fakeGateway();
  const { id } = (await post(PATH, { input: "hi", background: true })).json();
  const refused = await post(PATH, { input: "more", previous_response_id: id });
  expect([refused.statusCode, refused.json().param]).toEqual([400, "previous_response_id"]);
});
