import { afterEach, describe, expect, it, vi } from "vitest";
import { RhoneError } from "../errors/rhone-error.js";
import { testThread } from "../testing/test-thread.js";
import { SharedThread } from "./shared-thread.js";

const LIMIT = { ms: 10_000 };
const busy = (why: string) => new RhoneError("TEXTS_BUSY", why);
let shared: SharedThread<string, unknown>;
let opened = 0;

function share(): SharedThread<string, unknown> {
  opened = 0;
  const open = () => {
    opened++;
    return testThread();
  };
  shared = new SharedThread({ open, line: { most: 8, withinMs: 60_000, busy } });
  return shared;
}
afterEach(async () => {
  vi.useRealTimers();
  await shared.close();
});

describe("SharedThread", { timeout: 30_000 }, () => {
  it("answers all in one thread, which is started by the first", async () => {
    share();
    expect(opened).toBe(0);
    const answers = ["a", "b"].map((owner) => shared.ask(owner, "return state.told.push(1)", LIMIT));
    expect(await Promise.all(answers)).toEqual([1, 2]);
    expect(opened).toBe(1);
  });

  it("starts another thread for those who wait for one that was ended", async () => {
    const asked = [share().ask("a", "for (;;);", { ms: 200 }), shared.ask("a", "return 1", LIMIT)];
    const [slow, next] = await Promise.allSettled(asked);
    expect(slow).toMatchObject({ status: "rejected", reason: { code: "TEXT_TOO_COSTLY" } });
    expect([next, opened]).toEqual([{ status: "fulfilled", value: 1 }, 2]);
  });

  it("lets the thread end when nobody has asked for 20 s", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const count = "return state.told.push(1)";
    expect(await share().ask("a", count, LIMIT)).toBe(1);
    vi.advanceTimersByTime(19_000);
    expect(await shared.ask("a", count, LIMIT)).toBe(2);
    vi.advanceTimersByTime(21_000);
    expect(await shared.ask("a", count, LIMIT)).toBe(1);
    expect(opened).toBe(2);
  });

  it("ends its thread when it is closed, whatever that does, and starts no other for those who wait", async () => {
    await share().ask("a", "return 1", LIMIT);
    const asked = ["for (;;);", "return 2"].map((body) => shared.ask("a", body, LIMIT));
    const refused = Promise.all(asked.map((each) => expect(each).rejects.toMatchObject({ code: "SHUTTING_DOWN" })));
    await shared.close();
    await refused;
    expect(opened).toBe(1);
  });
});
