import { expect, it } from "vitest";
import { FairLine } from "./fair-line.js";

/** A job that ends when `finish` is called. */
function job(name: string, started: string[]) {
  let finish = (): void => {};
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const run = async (): Promise<string> => {
    started.push(name);
    await done;
    return name;
  };
  return { run, finish: () => finish() };
}

it("runs one job at a time, and lets owners take turns", async () => {
  const line = new FairLine(10);
  const started: string[] = [];
  const names = ["a1", "a2", "a3", "b1", "c1", "b2"];
  const jobs = names.map((name) => job(name, started));
  const results = jobs.map(({ run }, i) => line.run(names[i]?.[0] ?? "", run));
  for (let i = 0; i < jobs.length; i++) {
    expect(started).toHaveLength(i + 1);
    const running = jobs[names.indexOf(started.at(-1) ?? "")];
    running?.finish();
    await results[names.indexOf(started.at(-1) ?? "")];
    await Promise.resolve();
  }
  expect(started).toEqual(["a1", "a2", "b1", "c1", "a3", "b2"]);
});

it("refuses more than may wait, with the number", async () => {
  const line = new FairLine(1);
  const started: string[] = [];
  const [first, second] = [job("first", started), job("second", started)];
  const running = line.run("a", first.run);
  const waiting = line.run("a", second.run);
  const refusal = { code: "GRAMMARS_BUSY", message: expect.stringMatching(/^1 requests? /) };
  await expect(line.run("b", async () => 1)).rejects.toMatchObject(refusal);
  first.finish();
  second.finish();
  expect(await Promise.all([running, waiting])).toEqual(["first", "second"]);
});

it("goes on after a job that fails", async () => {
  const line = new FairLine(1);
  const failing = line.run("a", () => Promise.reject(new Error("broken")));
  const next = line.run("a", async () => "next");
  await expect(failing).rejects.toThrow("broken");
  expect(await next).toBe("next");
});
