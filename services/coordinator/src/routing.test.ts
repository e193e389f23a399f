import { routeOf } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { fakeJob } from "./testing/fake-job.js";
import { fakeModel } from "./testing/fake-model.js";
import { prompt, TestCluster, tokensOf } from "./testing/use-cluster.js";

const cluster = TestCluster.use();
const MODEL = fakeModel({ contextLength: 256 });

let jobs = 0;
/** Runs one turn: how much of its prompt was cached, and the text with the answer. */
async function ask(promptIds: readonly number[], fields = {}) {
  const plain = fakeJob({ requestId: `turn ${jobs++}`, promptIds: [...promptIds], maxTokens: 4, ...fields });
  const job = { ...plain, route: routeOf(plain) };
  await cluster.gateway.submit(job);
  const events = await cluster.gateway.finished(job.requestId);
  return { cached: events.at(-1)?.usage?.cachedTokens ?? 0, text: [...promptIds, ...tokensOf(events)] };
}

describe("replicas", () => {
  it("get the next turns of the conversations that they have cached", async () => {
    for (let index = 0; index < 2; index++) await cluster.run(1, [], MODEL);
    const texts = [(await ask(prompt(96, 1))).text, (await ask(prompt(96, 2))).text];
    for (let turn = 0; turn < 2; turn++) {
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
    const { text } = await ask(prompt(96), { cacheSalt: "a" });
    expect((await ask(text, { cacheSalt: "b" })).cached).toBe(0);
    expect((await ask(text, { cacheSalt: "a" })).cached).toBeGreaterThan(90);
  });

  it("go on with the conversations of one that was stopped", async () => {
    const [stopped] = [await cluster.run(1, [], MODEL), await cluster.run(1, [], MODEL)];
    const texts = [(await ask(prompt(96, 1))).text, (await ask(prompt(96, 2))).text];
    await stopped.close();
    for (const text of texts) await ask(text);
    for (const text of texts) expect((await ask(text)).cached).toBeGreaterThan(90);
  });
});
