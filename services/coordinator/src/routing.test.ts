import { routeOf } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { fakeJob } from "./testing/fake-job.js";
import { fakeModel } from "./testing/fake-model.js";
import { prompt, TestCluster, tokensOf } from "./testing/use-cluster.js";

const cluster = TestCluster.use();
const MODEL = fakeModel({ contextLength: 2048 });

let jobs = 0;
/** Runs one turn: how much of its prompt was cached, and the text with the answer. */
async function ask(promptIds: readonly number[], fields = {}) {
  const plain = fakeJob({ requestId: `turn ${jobs++}`, promptIds: [...promptIds], maxTokens: 8, ...fields });
  const job = { ...plain, route: routeOf(plain) };
  await cluster.gateway.submit(job);
  const events = await cluster.gateway.finished(job.requestId);
  return { cached: events.at(-1)?.usage?.cachedTokens ?? 0, text: [...promptIds, ...tokensOf(events)] };
}

describe("replicas", () => {
  it("get the next turns of the conversations that they have cached", async () => {
    for (let index = 0; index < 3; index++) await cluster.run(1, [], MODEL);
    const texts = await Promise.all([1, 2, 3].map(async (seed) => (await ask(prompt(200, seed))).text));
    for (let turn = 0; turn < 3; turn++) {
      for (const [index, text] of texts.entries()) {
        const next = await ask([...text, ...prompt(10, 9)]);
        expect(next.cached).toBeGreaterThanOrEqual(text.length - 8);
        texts[index] = next.text;
      }
    }
  });

  it("have nothing in common for texts of different salts", async () => {
    await cluster.run(1, [], MODEL);
    await cluster.run(1, [], MODEL);
    const { text } = await ask(prompt(200), { cacheSalt: "a" });
    expect((await ask(text, { cacheSalt: "b" })).cached).toBe(0);
    expect((await ask(text, { cacheSalt: "a" })).cached).toBeGreaterThan(190);
  });

  it("go on with the conversations of one that was stopped", async () => {
    const [stopped] = [await cluster.run(1, [], MODEL), await cluster.run(1, [], MODEL)];
    const texts = await Promise.all([1, 2, 3, 4].map(async (seed) => (await ask(prompt(200, seed))).text));
    await stopped.close();
    for (const text of texts) await ask(text);
    const again = await Promise.all(texts.map((text) => ask(text)));
    for (const { cached } of again) expect(cached).toBeGreaterThan(190);
  });
});
