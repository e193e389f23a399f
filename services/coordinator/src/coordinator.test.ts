import { CANCEL_CHANNEL, cancelledKey, decodeEvent, RhoneError, tokenLogKey } from "@rhone/common";
import { rhone } from "@rhone/proto";
import { describe, expect, it } from "vitest";
import { fakeJob } from "./testing/fake-job.js";
import { fakeModel } from "./testing/fake-model.js";
import { jobs, prompt, TestCluster, tokensOf } from "./testing/use-cluster.js";

const cluster = TestCluster.use();

describe("a coordinator with its workers", () => {
  it.each([1, 2, 5])("answers many requests at once over %i stages", async (stages) => {
    await cluster.run(stages, [], fakeModel({ slidingWindow: 20 }));
    const all = jobs(12, 20);
    for (const job of all) await cluster.gateway.submit(job);
    await cluster.expectSolo(all, 20);
    const status = await cluster.coordinator.until(({ sequences }) => sequences.running === 0);
    expect(status.pages.free + status.pages.cached).toBe(status.pages.total);
    expect(status.workers.map(({ layers }) => layers?.[1])).toHaveLength(stages);
  });

  it("runs the job of a light key before the backlog of a heavy one that fills all places", async () => {
    await cluster.run(1, ["--max-sequences", "1"]);
    const heavy = jobs(16, 30).map((job) => ({ ...job, keyId: "heavy" }));
    for (const job of heavy) await cluster.gateway.submit(job);
    await cluster.gateway.submit(fakeJob({ requestId: "light", promptIds: prompt(4), maxTokens: 4, keyId: "light" }));
    await cluster.gateway.finished("light");
    const over = heavy.filter(({ requestId }) =>
      cluster.gateway.events(requestId).some(({ finish }) => finish !== undefined),
    );
    expect(over.length).toBeLessThan(12);
    await cluster.expectSolo(heavy);
  });
});

describe("a coordinator's activations", () => {
  const { ACTIVATION_F16, ACTIVATION_F32, ACTIVATION_Q8_0 } = rhone.v1.ActivationType;

  it.each([
    ["by default", [], ACTIVATION_F32],
    ["with quantized pages", ["--kv-type", "q8_0"], ACTIVATION_F32],
    ["as f16 where asked", ["--kv-type", "f32", "--activation-type", "f16"], ACTIVATION_F16],
    ["as q8_0 where asked", ["--activation-type", "q8_0"], ACTIVATION_Q8_0],
  ])("go from stage to stage %s %s: type %s", async (_, flags, type) => {
    await cluster.run(2, flags);
    expect(cluster.workers.map(({ activationType }) => activationType)).toEqual([type, type]);
    expect(await cluster.coordinator.status()).toMatchObject({ activationBytes: 16 });
  });

  it("are refused with a type that the model's rows can't have", async () => {
    const refusal = new RhoneError("INVALID_CONFIG", "q8_0 needs 32.");
    const activationBytes = () => {
      throw refusal;
    };
    await expect(cluster.start([], { ...fakeModel(), activationBytes })).rejects.toBe(refusal);
  });
});

describe("a coordinator and constrained requests", () => {
  const constraint = { grammar: 'root ::= "a"', trigger: null, otherwise: null };

  it("lets them begin when their grammars are prepared", async () => {
    await cluster.run(3);
    const all = jobs(4).map((job) => ({ ...job, constraint }));
    for (const job of all) await cluster.gateway.submit(job);
    await cluster.expectSolo(all);
  });

  it("ends them alone, by name, when their grammars are refused", async () => {
    const coordinator = await cluster.start(["--workers", "1"]);
    await cluster.join("w0", { refuses: { code: "STAGE_FAILED", message: "too much" } });
    await coordinator.until(({ state }) => state === "ready");
    const [refused = fakeJob({ requestId: "x", promptIds: [] }), free = refused] = jobs(2);
    await cluster.gateway.submit({ ...refused, constraint });
    await cluster.gateway.submit(free);
    const finish = { reason: "error", code: "STAGE_FAILED", message: "too much" };
    expect((await cluster.gateway.finished(refused.requestId)).at(-1)?.finish).toEqual(finish);
    await cluster.expectSolo([free]);
    expect((await coordinator.status()).epoch).toBe(1);
  });
});

describe("a coordinator and its queue", () => {
  it("cancels a running request and frees its pages", async () => {
    await cluster.run(2);
    await cluster.gateway.submit(fakeJob({ requestId: "a", promptIds: prompt(5), maxTokens: 120 }));
    await cluster.gateway.until(() => cluster.gateway.events("a").length >= 2);
    await cluster.gateway.redis.set(cancelledKey("a"), "1");
    await cluster.gateway.redis.publish(CANCEL_CHANNEL, "a");
    expect((await cluster.gateway.finished("a")).at(-1)?.finish).toEqual({ reason: "cancelled" });
    const { pages } = await cluster.coordinator.status();
    expect(pages.free + pages.cached).toBe(pages.total);
  });

  it("does not begin a request that was cancelled in the queue", async () => {
    await cluster.gateway.redis.set(cancelledKey("a"), "1");
    await cluster.gateway.submit(fakeJob({ requestId: "a", promptIds: prompt(5) }));
    await cluster.run(1);
    const events = await cluster.gateway.finished("a");
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ tokens: [], finish: { reason: "cancelled" } });
  });

  it("answers a job that it does not understand", async () => {
    await cluster.run(1);
    await cluster.gateway.submitRaw({ requestId: "a", replyTo: "gateway", promptIds: "no" });
    expect((await cluster.gateway.finished("a"))[0]?.finish).toMatchObject({
      reason: "error",
      code: "INVALID_REQUEST",
    });
  });

  it("gives its jobs back when it closes; the next coordinator continues where the log ends", async () => {
    await cluster.run(1);
    const job = fakeJob({ requestId: "a", promptIds: prompt(5), maxTokens: 100 });
    await cluster.gateway.submit(job);
    await cluster.gateway.until(() => cluster.gateway.events("a").length >= 3);
    await cluster.coordinator.close();
    const logged = async (): Promise<readonly number[]> => {
      const entries = await cluster.gateway.redis.xrange(tokenLogKey("a"), "-", "+");
      return entries.flatMap(([, fields]) => decodeEvent(fields[1] ?? "").tokens);
    };
    expect((await logged()).length).toBeLessThan(100);
    await cluster.run(1);
    await cluster.expectSolo([job]);
    expect(await logged()).toEqual(tokensOf(cluster.gateway.events("a")));
  });

  it("writes each token before it announces it", async () => {
    await cluster.run(2);
    const job = fakeJob({ requestId: "a", promptIds: prompt(5), maxTokens: 20, logprobs: 0, promptLogprobs: 0 });
    await cluster.gateway.submit(job);
    const announced = await cluster.gateway.finished("a");
    const entries = await cluster.gateway.redis.xrange(tokenLogKey("a"), "-", "+");
    expect(entries.map(([id]) => id)).toEqual(announced.map((_, index) => `${index + 1}-0`));
    expect(entries.map(([, fields]) => decodeEvent(fields[1] ?? ""))).toEqual(announced);
    expect(announced[0]?.promptLogprobs).toHaveLength(4);
    expect(announced.at(-1)?.usage).toEqual({ promptTokens: 5, completionTokens: 20, cachedTokens: 0 });
    expect(await cluster.gateway.redis.ttl(tokenLogKey("a"))).toBeGreaterThan(500);
  });
});
