import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { JobPace } from "./job-pace.js";

it("lets jobs go on in their order, four in each turn of the event loop", async () => {
  const pace = new JobPace();
  const begun: number[] = [];
  for (let job = 0; job < 10; job++) void pace.next().then(() => begun.push(job));
  await Promise.resolve();
  expect(begun).toEqual([]);
  for (const most of [4, 8, 10]) {
    await setImmediate();
    expect(begun).toEqual([...Array(most).keys()]);
  }
});

it("serves those who come while others wait, and those who come later", async () => {
  const pace = new JobPace();
  const begun: string[] = [];
  void pace.next().then(() => {
    begun.push("first");
    void pace.next().then(() => begun.push("again"));
  });
  await expect.poll(() => begun).toEqual(["first", "again"]);
  await pace.next();
});
