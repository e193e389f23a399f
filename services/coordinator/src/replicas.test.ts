import { describe, expect, it } from "vitest";
import { jobs, TestCluster } from "./testing/use-cluster.js";

const cluster = TestCluster.use();
const TWO = ["--max-sequences", "2"];

/** Sequences that a coordinator runs and lets wait. */
const heldBy = async (status: () => Promise<{ readonly sequences: { running: number; waiting: number } }>) => {
  const { sequences } = await status();
  return sequences.running + sequences.waiting;
};

describe("coordinators of one model", () => {
  it("share a burst of few requests alike", async () => {
    const [a, b] = [await cluster.run(1), await cluster.run(1)];
    const all = jobs(16, 40);
    await Promise.all(all.map((job) => cluster.gateway.submit(job)));
    await cluster.expectSolo(all);
    const counts = await Promise.all([a, b].map(async (each) => (await each.status()).tokens.generated / 40));
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(6);
  });

  it("give one that joins the jobs that they have not begun", async () => {
    const first = await cluster.run(1, TWO);
    const all = jobs(8, 100);
    for (const job of all) await cluster.gateway.submit(job);
    await expect.poll(() => heldBy(() => first.status())).toBeGreaterThanOrEqual(6);
    const second = await cluster.run(1, TWO);
    await cluster.expectSolo(all);
    expect((await second.status()).tokens.generated).toBeGreaterThanOrEqual(100);
  });

  it("go on without one that lost its pipeline", async () => {
    await cluster.run(1, ["--recovery-timeout", "60"]);
    const second = await cluster.run(1);
    cluster.workers[1]?.kill();
    await second.until(({ state }) => state !== "ready");
    const all = jobs(12, 20);
    for (const job of all) await cluster.gateway.submit(job);
    await cluster.expectSolo(all);
  });
});
