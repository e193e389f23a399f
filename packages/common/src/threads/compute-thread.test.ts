import { afterEach, describe, expect, it } from "vitest";
import { RhoneError } from "../errors/rhone-error.js";
import { testThread } from "../testing/test-thread.js";
import type { ComputeThread } from "./compute-thread.js";

let thread: ComputeThread<string, unknown>;
const open = (...args: Parameters<typeof testThread>) => {
  thread = testThread(...args);
  return thread;
};
const over = new RhoneError("CANCELLED", "over");
afterEach(() => thread.end(over));

const LIMIT = { ms: 20_000 };
const refuse = (code: string) => `new common.RhoneError("${code}", "no", { param: "field" })`;

describe("ComputeThread", { timeout: 30_000 }, () => {
  it("obeys in order, and answers those who ask", async () => {
    open().tell("state.told.push(1)");
    const asked = ["state.told.push(2)", "return state.told", "return 7"].map((body) => thread.ask(body, LIMIT));
    expect(await Promise.all(asked)).toEqual([undefined, [1, 2], 7]);
  });

  it("has room for many who wait, while it opens and once it is open", async () => {
    const warnings: string[] = [];
    const hear = ({ name }: Error): unknown => warnings.push(name);
    process.on("warning", hear);
    const ask = () => Promise.all(Array.from({ length: 64 }, () => thread.ask("return 1", LIMIT)));
    open();
    expect([...(await ask()), ...(await ask())]).toEqual(Array(128).fill(1));
    process.off("warning", hear);
    expect(warnings).toEqual([]);
  });

  it("goes on after a refusal, which the one who asked gets whole", async () => {
    const [refused, next] = [open().ask(`throw ${refuse("INVALID_REQUEST")}`, LIMIT), thread.ask("return 1", LIMIT)];
    await expect(refused).rejects.toMatchObject({ code: "INVALID_REQUEST", message: "no", param: "field" });
    expect(await next).toBe(1);
  });

  it("ends with the refusal when the thread is spent by it, and when nobody asked", async () => {
    const spent = `throw new common.ThreadSpent(${refuse("GRAMMAR_TOO_COSTLY")})`;
    const asked = [spent, "return 1"].map((body) => open().ask(body, LIMIT));
    await expect(asked[0]).rejects.toMatchObject({ code: "GRAMMAR_TOO_COSTLY", param: "field" });
    open().tell(`throw ${refuse("INVALID_REQUEST")}`);
    await expect(thread.ask("return 1", LIMIT)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(thread.ending.reason).toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("ends what computes for too long, for all who wait for it and ask it later", async () => {
    const limit = { ms: 200, task: "to count" };
    const waiting = ["for (;;);", "return 1"].map((body) => open().ask(body, limit));
    const late = { code: "TEXT_TOO_COSTLY", message: "it takes more than 200 ms to count" };
    await expect(waiting[0]).rejects.toMatchObject(late);
    open().tell("for (;;);");
    await expect(thread.ask("return 1", limit)).rejects.toMatchObject(late);
    await expect(thread.ask("return 1", limit)).rejects.toBe(thread.ending.reason);
    await thread.gone;
  });

  it.runIf(process.platform === "linux")("ends with another error when it got less time than its limit", async () => {
    const waits = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)";
    const starved = {
      code: "TEXTS_BUSY",
      message: expect.stringMatching(/^it got \d+ ms of processor time in \d+ ms$/),
    };
    await expect(open().ask(waits, { ms: 200 })).rejects.toMatchObject(starved);
    await expect(thread.ask("return 1", LIMIT)).rejects.toMatchObject(starved);
  });

  it("ends by name when it breaks, while it opens too", async () => {
    const message = expect.stringContaining("it broke its thread (broken");
    await expect(open().ask('throw new Error("broken")', LIMIT)).rejects.toMatchObject({ message });
    await expect(open('throw new Error("broken")').ask("return 1", LIMIT)).rejects.toMatchObject({ message });
    const grows = "const all = []; for (;;) all.push(new Array(1000).fill(all.length));";
    await expect(open().ask(grows, LIMIT)).rejects.toMatchObject({ message: expect.stringContaining("memory") });
  });

  it("rests once it has done what it was told", async () => {
    const answer = open().ask("return 1", LIMIT);
    expect(await answer).toBe(1);
    const last = thread.ask("return 2", LIMIT);
    thread.rest();
    await thread.gone;
    await Promise.allSettled([last]);
    expect(thread.ending.reason).toMatchObject({ message: "its thread ended" });
  });

  it("ends for the first of several reasons", async () => {
    const asked = open().ask("for (;;);", LIMIT);
    thread.end(over);
    thread.end(new RhoneError("INTERNAL", "later"));
    await expect(asked).rejects.toBe(over);
  });
});
