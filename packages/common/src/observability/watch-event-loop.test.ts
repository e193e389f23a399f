import { MessageChannel } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { TestChild } from "../testing/child-process.js";
import type { StackSample } from "./main-thread-stack.js";
import { stacksSince } from "./watch-event-loop.js";

/** A service that listens, with a function `busyFor` to hold its event loop, and does `more` at the first message. */
const service = (more: string, flags: readonly string[] = []) =>
  new TestChild(
    `
    const settings = { logLevel: common.logLevelSetting, hungAfter: common.hungAfterSetting };
    function busyFor(ms) {
      const until = performance.now() + ms;
      while (performance.now() < until) Math.hypot(Math.random());
    }
    await common.serviceMain({ service: "sample", settings }, async () => {
      process.once("message", async () => { ${more} });
    });
    `,
    { flags },
  );

describe("watchEventLoop", { timeout: 30_000 }, () => {
  it("logs a long turn with its length, its processor time and the stack, and counts it", async () => {
    const child = service(`
      busyFor(600);
      setTimeout(async () => {
        const page = await common.metricsPage({ metrics: async () => "own_total 1" });
        process.send({ kind: "metrics", page });
      }, 100);`);
    await child.message(); // its first pulse
    await child.message(); // and another: by now its event loop has been read once
    child.process.send("go");
    const { page } = await child.answer<{ page: string }>("metrics");
    // A busy machine may make others long. The output comes by another way than the answer.
    const find = () => child.log.find(({ stacks }) => JSON.stringify(stacks)?.includes("busyFor"));
    await expect.poll(find).toBeDefined();
    const turn = find();
    expect(turn).toMatchObject({ level: "warn", service: "sample", msg: "long turn of the event loop" });
    const { turnMs, cpuMs, stacks } = turn as unknown as { turnMs: number; cpuMs: number; stacks: string[][] };
    expect(turnMs).toBeGreaterThan(500);
    expect(cpuMs).toBeGreaterThan(50); // all of them, on an idle machine
    // Another may be of what runs between the end of busyFor and the turn's.
    expect(stacks).toContainEqual(expect.arrayContaining([expect.stringMatching(/^busyFor .*:6$/)]));
    for (const stack of stacks) expect(stack.at(-1)).toMatch(/^\S.* .+:\d+$/);
    expect(page).toMatch(/^own_total 1$/m);
    expect(page).toMatch(/^rhone_event_loop_long_turn_seconds_count [1-9]\d*$/m);
    const longest = /^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(page)?.[1];
    expect(Number(longest)).toBeGreaterThan(0.5);
  });

  it("blames a turn for no stack of an earlier one, that was too short to be logged or whose stack came late", () => {
    const { port1, port2 } = new MessageChannel();
    for (const atMs of [600, 700, 750, 800]) port2.postMessage({ atMs, stack: [`at ${atMs}`] } satisfies StackSample);
    expect(stacksSince(700, port1)).toEqual([["at 700"], ["at 750"], ["at 800"]]);
    expect(stacksSince(700, port1)).toEqual([]);
    port1.close();
  });

  it("ends a process whose event loop hangs, and says where", async () => {
    const child = service("busyFor(60_000);", ["--hung-after", "2"]);
    await child.message();
    child.process.send("go");
    expect(await child.exit()).toBe("SIGKILL");
    const stack = expect.arrayContaining([expect.stringMatching(/^busyFor /)]);
    expect(child.log).toMatchObject([
      { level: "error", service: "sample", msg: "the event loop does not turn", stack },
      { level: "fatal", service: "sample", msg: "the event loop hangs; the process ends itself", stack },
    ]);
  });

  it("says nothing of a loop that turns", async () => {
    const child = service(`
      for (let i = 0; i < 10; i++) {
        busyFor(20);
        await new Promise((resolve) => setImmediate(resolve));
      }
      process.send({ kind: "done" });`);
    await child.message();
    child.process.send("go");
    await child.answer("done");
    // On a busy machine a turn may be long without being at work.
    expect(child.log.filter(({ cpuMs }) => Number(cpuMs) > 150)).toEqual([]);
  });
});
