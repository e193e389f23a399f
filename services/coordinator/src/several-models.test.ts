import { placesKey } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { fakeJob } from "./testing/fake-job.js";
import { fakeModel } from "./testing/fake-model.js";
import { jobs, prompt, TestCluster, tokensOf } from "./testing/use-cluster.js";

const cluster = TestCluster.use();
const OTHER = fakeModel({ name: "org/other" });

const jobOf = (requestId: string, model: string) => fakeJob({ requestId, model, promptIds: prompt(4), maxTokens: 4 });

/** The ids of the jobs that wait for a coordinator of the model. */
const waiting = async (model: string) => {
  const waits = await cluster.gateway.queue({ model, lane: "interactive" }).getPrioritized();
  return waits.map(({ id }) => id);
};

describe("coordinators of two models on one Redis", () => {
  it("take the jobs of their own model; when one is lost, its jobs wait for it and the other goes on", async () => {
    await cluster.run(1);
    const second = await cluster.run(1, [], OTHER);
    await cluster.gateway.submit(jobOf("a1", "fake"));
    await cluster.gateway.submit(jobOf("b1", "org/other"));
    for (const id of ["a1", "b1"]) await cluster.gateway.finished(id);
    expect((await second.status()).tokens.generated).toBe(4);

    await second.close();
    await cluster.gateway.submit(jobOf("b2", "org/other"));
    const others = jobs(12).map((job) => ({ ...job, requestId: `a-${job.requestId}` }));
    for (const job of others) await cluster.gateway.submit(job);
    await cluster.expectSolo(others);
    expect(await waiting("org/other")).toEqual(["b2"]);
    expect(cluster.gateway.events("b2")).toEqual([]);

    await cluster.run(1, [], OTHER);
    expect(tokensOf(await cluster.gateway.finished("b2"))).toHaveLength(4);
  });
});

describe("jobs of gateways of the release before", () => {
  it("are moved from the queue of all models to their model's, their places freed", async () => {
    const places = placesKey({ model: "", lane: "interactive" });
    for (const model of ["org/other", "fake"])
      await cluster.gateway.submit(jobOf(`old-${model}`, model), { model: "" });
    expect(await waiting("")).toEqual(["old-org/other", "old-fake"]);
    expect(await cluster.gateway.redis.zcard(places)).toBe(2);
    await cluster.run(1);
    await cluster.gateway.finished("old-fake");
    await expect.poll(() => waiting("org/other")).toEqual(["old-org/other"]);
    await expect.poll(() => waiting("")).toEqual([]);
    expect(await cluster.gateway.redis.zcard(places)).toBe(0);
  });

  it("that name no model are answered by the coordinator that finds them", async () => {
    const { model: _, ...nameless } = jobOf("nameless", "");
    const old = cluster.gateway.queue({ model: "", lane: "batch" });
    await old.add("generate", { ...nameless, lane: "batch" }, { jobId: "nameless", priority: 1 });
    await cluster.run(1);
    const [event] = await cluster.gateway.finished("nameless");
    expect(event?.finish).toMatchObject({ reason: "error", code: "INVALID_REQUEST" });
  });
});
