import { rhone } from "@rhone/proto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fakeMember } from "../testing/fake-member.js";
import { LOST_AFTER_MS, Member } from "./member.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("Member", () => {
  it.each([
    { hello: { gflops: 100, bandwidth: 1e9 }, raw: { gflops: 100, bandwidth: 1e9 } },
    { hello: { gflops: 100 }, raw: null },
    { hello: { gflops: 0, bandwidth: 1e9 }, raw: null },
  ])("takes the speed $raw from $hello", ({ hello, raw }) => {
    expect(fakeMember({ worker: "w", ...hello }).member.raw).toEqual(raw);
  });

  it("is of one kind with workers of the same machine, device, kernels and threads", () => {
    const kindOf = (hello: object) =>
      fakeMember({ worker: "w", hostname: "a", device: "CPU", threads: 2, ...hello }).member.kind;
    expect(kindOf({ worker: "v" })).toBe(kindOf({}));
    for (const other of [{ hostname: "b" }, { device: "GPU" }, { kernels: "avx2" }, { threads: 4 }])
      expect(kindOf(other)).not.toBe(kindOf({}));
  });

  it.each([
    ["avx2", "avx2"],
    [undefined, "ggml"],
  ])("shows the kernels %s as %s", (kernels, shown) => {
    const hello = { worker: "w", ...(kernels !== undefined && { kernels }) };
    expect(fakeMember(hello).member.status().kernels).toBe(shown);
  });

  it("shows where its memory comes from if it says so", () => {
    const hello = { worker: "w", memoryTotal: 5e9 };
    const said = fakeMember({ ...hello, memoryFrom: "30 % of 18.7 GB free" }).member.status();
    expect(said).toMatchObject({ memoryTotal: 5e9, memoryFrom: "30 % of 18.7 GB free" });
    expect(fakeMember(hello).member.status()).not.toHaveProperty("memoryFrom");
  });

  it.each([
    [32, 32],
    [0, 1],
    [undefined, 1],
  ])("computes %s rows at once: %i", (rowBlock, expected) => {
    const hello = { worker: "w", ...(rowBlock !== undefined && { rowBlock }) };
    expect(fakeMember(hello).member.rowBlock).toBe(expected);
  });

  it("is lost after 3.5 s without a message, and not before", () => {
    const onSilent = vi.fn();
    const stream = { write: vi.fn(), end: vi.fn() };
    const member = new Member({ hello: { worker: "w" }, stream: stream as never, onSilent });
    vi.advanceTimersByTime(LOST_AFTER_MS - 1);
    member.receive({ progress: { bytes: 1 } });
    vi.advanceTimersByTime(LOST_AFTER_MS - 1);
    expect(onSilent).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(onSilent).toHaveBeenCalledOnce();
  });

  it("is not lost after it was closed", () => {
    const onSilent = vi.fn();
    const stream = { write: vi.fn(), end: vi.fn() };
    new Member({ hello: { worker: "w" }, stream: stream as never, onSilent }).close();
    vi.advanceTimersByTime(2 * LOST_AFTER_MS);
    expect([onSilent.mock.calls.length, stream.end.mock.calls.length]).toEqual([0, 1]);
  });

  it("is as busy as on average of the last 5 s, whatever it computed before it joined", () => {
    const { member } = fakeMember({ worker: "w" });
    const beat = (busyUs: number): number => {
      vi.advanceTimersByTime(1000);
      member.beat({ busyUs });
      return member.status().busy;
    };
    expect(beat(60e6)).toBe(0);
    // A step of 3 s, which counts when it has ended.
    expect([beat(60e6), beat(60e6), beat(63e6)]).toEqual([0, 0, 1]);
    expect([beat(63e6), beat(63e6), beat(63e6)]).toEqual([0.75, 0.6, 0.6]);
    expect(Array.from({ length: 5 }, () => beat(63e6))).toEqual([0.6, 0, 0, 0, 0]);
  });

  it("moves its last step's time with its step counter, not with every heartbeat", () => {
    const { member } = fakeMember({ worker: "w" });
    member.beat({ steps: 1 });
    const { steppedAt } = member;
    vi.advanceTimersByTime(1000);
    member.beat({ steps: 1 });
    expect(member.steppedAt).toBe(steppedAt);
    member.beat({ steps: 2 });
    expect(member.steppedAt).toBe(steppedAt + 1000);
  });

  it("shows what it checks and fetches before it loads", () => {
    const { PHASE_CHECK, PHASE_FETCH } = rhone.v1.LoadPhase;
    const { member } = fakeMember({ worker: "w" });
    member.receive({ progress: { phase: PHASE_CHECK, bytes: 5, totalBytes: 50 } });
    const nothing = { loadedBytes: 0, totalBytes: 0 };
    expect(member.status()).toMatchObject({ preparing: { phase: "check", bytes: 5, totalBytes: 50 }, ...nothing });
    member.receive({ progress: { phase: PHASE_FETCH, bytes: 6, totalBytes: 60 } });
    expect(member.status()).toMatchObject({ preparing: { phase: "fetch", bytes: 6, totalBytes: 60 }, ...nothing });
    member.receive({ progress: { bytes: 10, totalBytes: 100 } });
    expect(member.status()).toMatchObject({ preparing: null, loadedBytes: 10, totalBytes: 100 });
    member.receive({ progress: { phase: PHASE_FETCH, bytes: 6, totalBytes: 60 } });
    member.receive({ failed: { code: "DISK_FULL" } });
    expect(member.status().preparing).toBeNull();
  });

  it.each([
    ["beside one that has none of its layers", { first: 4, last: 8 }, 120, 40, false],
    ["beside one that has half of them", { first: 2, last: 6 }, 120, 20, true],
    ["beside one that has half of them, short of a byte", { first: 2, last: 6 }, 119, 20, false],
  ])("knows whether there is memory for a shard %s", (_, range, memoryTotal, weightBytes, expected) => {
    const { member } = fakeMember({ worker: "w", memoryTotal, device: "CPU" });
    const stage = { worker: "w", stage: 0, embeds: false, heads: false, weightBytes, memoryTotal };
    member.shard = { ...stage, first: 0, last: 4, weightBytes: 40 };
    member.receive({ ready: { weightBytes: 40, pageBytes: 60 } });
    const weights = { layerBytes: new Array<number>(8).fill(10), embeddingBytes: 5, headBytes: 5, wholeBytes: 90 };
    expect(member.hasRoomBeside({ ...stage, ...range }, weights)).toBe(expected);
  });

  it("shows a load's progress, then its weights and pages while it holds a shard", () => {
    const { member } = fakeMember({ worker: "w", memoryTotal: 500 });
    member.receive({ progress: { bytes: 10, totalBytes: 100 } });
    expect(member.status()).toMatchObject({ loadedBytes: 10, totalBytes: 100, layers: null, pageBytes: 0 });
    member.shard = {
      worker: "w",
      stage: 0,
      first: 0,
      last: 8,
      embeds: true,
      heads: true,
      weightBytes: 0,
      memoryTotal: 0,
    };
    member.receive({ ready: { weightBytes: 90, pageBytes: 40, varies: "ggml computes" } });
    expect(member.status()).toMatchObject({
      worker: "w",
      memoryTotal: 500,
      layers: [0, 8],
      loadedBytes: 90,
      totalBytes: 90,
      pageBytes: 40,
      varies: "ggml computes",
    });
  });
});
