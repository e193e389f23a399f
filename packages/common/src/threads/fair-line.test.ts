import { expect, it } from "vitest";
import { RhoneError } from "../errors/rhone-error.js";
import { FairLine } from "./fair-line.js";

const open = ({ atOnce = 1, most = 10, withinMs = 60_000 } = {}) =>
  new FairLine({ atOnce, most, withinMs, busy: (why) => new RhoneError("TEXTS_BUSY", why) });

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
  const line = open();
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

it("runs a few at a time when it may, and the next whenever one ends", async () => {
  const line = open({ atOnce: 2 });
  const started: string[] = [];
  const jobs = ["a1", "a2", "a3", "b1"].map((name) => job(name, started));
  const [first, ...others] = jobs.map(({ run }, i) => line.run(i < 3 ? "a" : "b", run));
  expect(started).toEqual(["a1", "a2"]);
  jobs[0]?.finish();
  await first;
  expect(started).toEqual(["a1", "a2", "a3"]);
  for (const { finish } of jobs) finish();
  await Promise.all(others);
  const again = ["c1", "c2", "c3"].map((name) => job(name, started));
  const running = again.map(({ run }) => line.run("c", run));
  expect(started.slice(4)).toEqual(["c1", "c2"]);
  for (const { finish } of again) finish();
  await Promise.all(running);
});

it("forgets a job whose caller leaves before it runs", async () => {
  const line = open();
  const started: string[] = [];
  const leaving = new AbortController();
  const first = job("first", started);
  const running = line.run("a", first.run);
  const left = line.run("a", job("left", started).run, leaving.signal);
  leaving.abort(new Error("left"));
  await expect(left).rejects.toThrow("left");
  first.finish();
  await running;
  await expect(line.run("a", job("late", started).run, leaving.signal)).rejects.toThrow("left");
  expect(await line.run("a", async () => started)).toEqual(["first"]);
});

it("refuses more than may wait, with the number", async () => {
  const line = open({ most: 1 });
  const started: string[] = [];
  const [first, second] = [job("first", started), job("second", started)];
  const running = line.run("a", first.run);
  const waiting = line.run("a", second.run);
  const refusal = { code: "TEXTS_BUSY", message: "1 request is waiting" };
  await expect(line.run("b", async () => 1)).rejects.toMatchObject(refusal);
  first.finish();
  second.finish();
  expect(await Promise.all([running, waiting])).toEqual(["first", "second"]);
});

it("makes room for an owner with few by refusing the last job of the one with most", async () => {
  const line = open({ most: 3 });
  const started: string[] = [];
  const running = job("running", started);
  const jobs = ["a1", "a2", "a3", "b1"].map((name) => job(name, started));
  const results = [line.run("a", running.run), ...jobs.map(({ run }, i) => line.run(i < 3 ? "a" : "b", run))];
  for (const { finish } of [running, ...jobs]) finish();
  const settled = await Promise.allSettled(results);
  expect(settled.map(({ status }) => status === "fulfilled")).toEqual([true, true, true, false, true]);
  expect(started).toEqual(["running", "a1", "b1", "a2"]);
});

it("refuses a job that has waited for too long, and keeps its place for nobody", async () => {
  const line = open({ most: 1, withinMs: 20 });
  const started: string[] = [];
  const first = job("first", started);
  const running = line.run("a", first.run);
  const message = "After 20 ms, 1 request is waiting";
  await expect(line.run("a", job("late", started).run)).rejects.toMatchObject({ code: "TEXTS_BUSY", message });
  const next = line.run("a", async () => "next");
  first.finish();
  expect(await Promise.all([running, next])).toEqual(["first", "next"]);
  expect(started).toEqual(["first"]);
});

it("goes on after a job that fails", async () => {
  const line = open({ most: 1 });
  const failing = line.run("a", () => Promise.reject(new Error("broken")));
  const next = line.run("a", async () => "next");
  await expect(failing).rejects.toThrow("broken");
  expect(await next).toBe("next");
});
