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
