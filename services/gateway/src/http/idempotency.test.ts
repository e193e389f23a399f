import { connect } from "node:net";
import { type GenerationJob, RhoneError } from "@rhone/common";
import { expect, it, onTestFinished, vi } from "vitest";
import { CLAIM_TTL_S, UNQUEUED_TTL_S } from "../admission/idempotency-claim.js";
import { IdempotencyRecords } from "../admission/idempotency-records.js";
import { LOST_AFTER_MS } from "../requests/lost-jobs.js";
import { FakeCluster } from "../testing/fake-cluster.js";
import { fakeGateway, hello, type Script } from "../testing/fake-gateway.js";

const COMPLETIONS = "/v1/completions";
const body = { prompt: "ab", max_tokens: 5 };
const once = (key: string) => ({ "idempotency-key": key });

it("a request with a key is done once; the second one gets the first one's answer", async () => {
  const { post, jobs } = fakeGateway();
  const first = await post(COMPLETIONS, body, once("a"));
  const second = await post(COMPLETIONS, body, once("a"));
  expect(second.body).toBe(first.body);
  expect(second.headers["content-type"]).toBe(first.headers["content-type"]);
  expect([first.headers["idempotent-replayed"], second.headers["idempotent-replayed"]]).toEqual([undefined, "true"]);
  expect(jobs.length).toBe(1);
  expect((await post(COMPLETIONS, body, once("b"))).body).not.toBe(first.body);
  expect((await post(COMPLETIONS, body)).body).not.toBe(first.body);
});

it("a key whose gateway has died before it generated is free again within seconds", async () => {
  const claims = vi.spyOn(IdempotencyRecords.prototype, "claim");
  onTestFinished(() => claims.mockRestore());
  const { post } = fakeGateway();
  await post(COMPLETIONS, body, once("a"));
  expect(claims.mock.calls[0]?.[2].ttlS).toBe(CLAIM_TTL_S);
});

/** A gateway that has recorded a generation under the key "a", and never hears that its job is queued. */
function dyingGateway(queue: (job: GenerationJob) => void = () => {}) {
  const gateway = fakeGateway();
  const { generate } = gateway.client;
  gateway.client.generate = (job) =>
    (async function* () {
      queue(job);
      await new Promise(() => {});
      yield* [];
    })();
  void gateway.post(COMPLETIONS, body, once("a")).catch(() => {});
  const record = () => [...gateway.redis.texts].find(([, text]) => text.includes('"generation"'))?.[0] ?? "";
  const dies = async () => {
    await expect.poll(record).not.toBe("");
    gateway.client.generate = generate;
    return record();
  };
  return { ...gateway, dies };
}

it("a key whose gateway died before it queued its job is in use for seconds, then its request runs", async () => {
  const { dies, post, redis, jobs } = dyingGateway();
  const key = await dies();
  expect(redis.ttls.get(key)).toBe(UNQUEUED_TTL_S);
  const refused = await post(COMPLETIONS, body, once("a"));
  expect([refused.statusCode, refused.json().code]).toEqual([409, "idempotency_key_in_use"]);
  expect(refused.headers["retry-after"]).toBe("1");
  redis.ttls.set(key, UNQUEUED_TTL_S - CLAIM_TTL_S); // as after this time
  const answer = await post(COMPLETIONS, body, once("a"));
  expect([answer.statusCode, jobs.length, redis.ttls.get(key)]).toEqual([200, 1, 3600]);
});

it("a generation whose gateway died before it heard that its job is queued is followed, however late", async () => {
  const { dies, post, redis, jobs } = dyingGateway((job) => jobs.push(job));
  redis.ttls.set(await dies(), UNQUEUED_TTL_S - 600);
  const answer = await post(COMPLETIONS, body, once("a"));
  expect([answer.statusCode, answer.headers["idempotent-replayed"], jobs.length]).toEqual([200, "true", 1]);
});

it("a generation that was queued and of which nothing is left runs again, once", async () => {
  const { post, jobs, redis } = fakeGateway();
  const stream = { ...body, stream: true };
  const first = await post(COMPLETIONS, stream, once("a"));
  await expect.poll(() => Math.max(...redis.ttls.values())).toBeLessThan(UNQUEUED_TTL_S);
  jobs.splice(0); // its log gave way to others'
  const second = await post(COMPLETIONS, stream, once("a"));
  const third = await post(COMPLETIONS, stream, once("a"));
  expect([second.statusCode, second.headers["idempotent-replayed"], jobs.length]).toEqual([200, undefined, 1]);
  expect(second.body).not.toBe(first.body);
  expect(third.body).toBe(second.body);
});

it("a repeat whose generation is lost while it follows it gets a named error, and the next one runs", async () => {
  const { post, jobs, client } = fakeGateway(undefined, undefined, { requestTimeoutMs: 600_000 });
  const { follow } = client;
  await post(COMPLETIONS, { ...body, stream: true }, once("a"));
  client.follow = async function* (_job, signal) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    signal.throwIfAborted();
    yield* [];
  };
  client.stateOf = async () => "cut";
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  let lost: string | undefined;
  void post(COMPLETIONS, { ...body, stream: true }, once("a")).then((answer) => {
    lost = answer.body;
  });
  const began = performance.now();
  while (lost === undefined) await vi.advanceTimersByTimeAsync(1000);
  expect(performance.now() - began).toBeGreaterThan(LOST_AFTER_MS);
  vi.useRealTimers();
  expect(JSON.parse(lost)).toMatchObject({ code: "generation_lost", message: expect.stringMatching(/^None of its 1/) });
  client.follow = follow;
  const again = await post(COMPLETIONS, { ...body, stream: true }, once("a"));
  expect([again.statusCode, again.headers["idempotent-replayed"], jobs.length]).toEqual([200, undefined, 2]);
});

it("an answer that gave way to others is generated again", async () => {
  const { post, jobs, redis } = fakeGateway();
  await post(COMPLETIONS, body, once("a"));
  redis.texts.clear();
  const again = await post(COMPLETIONS, body, once("a"));
  expect([again.statusCode, again.headers["idempotent-replayed"], jobs.length]).toEqual([200, undefined, 2]);
});

it.each([
  ["whole", {}],
  ["with ids", { stream_options: { resumable: true } }],
])("a stream %s is written again, event for event", async (_, options) => {
  const { post, jobs } = fakeGateway();
  const request = { ...body, ...options, stream: true };
  const first = await post(COMPLETIONS, request, once("a"));
  const second = await post(COMPLETIONS, request, once("a"));
  expect(first.body.endsWith("data: [DONE]\n\n")).toBe(true);
  expect(second.body).toBe(first.body);
  expect(jobs.length).toBe(1);
});

it("the key of another request is refused", async () => {
  const { post } = fakeGateway();
  await post(COMPLETIONS, body, once("a"));
  const response = await post(COMPLETIONS, { ...body, max_tokens: 6 }, once("a"));
  expect([response.statusCode, response.json().code]).toEqual([422, "idempotency_key_reused"]);
});

it("a request that failed may be tried again with its key", async () => {
  let failures = 1;
  const script: Script = (job) => {
    if (failures-- > 0) throw new RhoneError("WORKER_LOST", "gone");
    return hello(job);
  };
  const { post } = fakeGateway(script);
  expect((await post(COMPLETIONS, body, once("a"))).statusCode).toBe(503);
  expect((await post(COMPLETIONS, { ...body, max_tokens: -1 }, once("b"))).statusCode).toBe(400);
  expect((await post(COMPLETIONS, body, once("a"))).statusCode).toBe(200);
  expect((await post(COMPLETIONS, body, once("b"))).statusCode).toBe(200);
});

it("a batch is made once", async () => {
  const { post, app } = fakeGateway();
  onTestFinished(() => app.close());
  const order = { requests: [{ custom_id: "a", body: { prompt: "a" } }], endpoint: COMPLETIONS };
  const first = await post("/v1/batch/jobs", order, once("a"));
  const second = await post("/v1/batch/jobs", order, once("a"));
  expect(first.json().status).toBe("QUEUED");
  expect(second.json()).toEqual(first.json());
  expect((await app.inject("/v1/batches")).json().data.length).toBe(1);
});

it("a malformed key is refused; tokenizing and reading ignore keys", async () => {
  const { post } = fakeGateway();
  const response = await post(COMPLETIONS, body, once("a b"));
  expect([response.statusCode, response.json().param]).toEqual([400, "Idempotency-Key"]);
  const counts = [
    await post("/tokenize", { prompt: "a" }, once("a")),
    await post("/tokenize", { prompt: "b" }, once("a")),
  ];
  expect(counts.map(({ statusCode }) => statusCode)).toEqual([200, 200]);
});

it("a client that hangs up finds the answer when it comes again, and while it is made", async () => {
  let proceed = () => {};
  const gate = new Promise<void>((resolve) => {
    proceed = resolve;
  });
  const { app, jobs, post, client, metrics } = fakeGateway();
  onTestFinished(() => app.close());
  let followed = 0;
  const { generate, follow } = FakeCluster.prototype;
  const waiting = async function* (events: ReturnType<typeof follow>) {
    const first = await events.next();
    await gate;
    if (first.done !== true) yield first.value;
    yield* events;
  };
  client.generate = (job, signal, options) => waiting(generate.call(client as FakeCluster, job, signal, options));
  client.follow = (job) => {
    followed++;
    return waiting(follow.call(client as FakeCluster, job));
  };
  await app.listen({ port: 0, host: "127.0.0.1" });
  const address = app.server.address();
  const socket = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
  const text = JSON.stringify(body);
  const head = `POST ${COMPLETIONS} HTTP/1.1\r\nhost: x\r\nidempotency-key: a\r\ncontent-type: application/json\r\n`;
  socket.write(`${head}content-length: ${text.length}\r\n\r\n${text}`);
  client.stateOf = async () => "open";
  const running = async () => (await metrics.running.get()).values[0]?.value;
  await expect.poll(running).toBe(1);
  socket.destroy();
  const during = post(COMPLETIONS, body, once("a"));
  await expect.poll(() => followed).toBe(1);
  proceed();
  const answer = (await during).json();
  expect(answer.choices[0].text).toBe(" Hello");
  await expect.poll(running).toBe(0);
  expect((await post(COMPLETIONS, body, once("a"))).json()).toEqual(answer);
  expect(jobs.length).toBe(1);
});
