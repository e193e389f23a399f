import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fakeSequence } from "../testing/scheduling.js";
import { PieceTable } from "../text/piece-table.js";
import { NOTHING_RECORDED } from "../token-log/recorded.js";
import { ActiveRuns } from "./active-runs.js";
import { Generation } from "./generation.js";

const pieces = new PieceTable({ pieceBytes: () => new Uint8Array() });
const rules = { contextLength: 100, vocabSize: 100, endTokens: new Set<number>(), pieces };

function generationOf(overrides: Parameters<typeof fakeSequence>[0] = {}): Generation {
  return new Generation({ sequence: fakeSequence(overrides), rules, recorded: NOTHING_RECORDED });
}

describe("ActiveRuns", () => {
  it("finds a run by request and by sequence while it generates", () => {
    const runs = new ActiveRuns();
    const run = runs.start(generationOf({ requestId: "a" }));
    const { sequence } = run.generation;
    expect([runs.get("a"), runs.of(sequence), runs.generating()]).toEqual([run, run, [run]]);
    run.finish();
    expect([runs.get("a"), runs.of(sequence), runs.generating()]).toEqual([run, undefined, []]);
  });

  it("does not take a later sequence of the same request for an earlier one", () => {
    const runs = new ActiveRuns();
    const earlier = runs.start(generationOf({ requestId: "a" }));
    earlier.done.catch(() => {});
    runs.drop("a", new Error("lost"));
    const later = runs.start(generationOf({ requestId: "a" }));
    expect(runs.of(earlier.generation.sequence)).toBeUndefined();
    expect(runs.of(later.generation.sequence)).toBe(later);
  });

  it("resolves a run when its last event is written", async () => {
    const runs = new ActiveRuns();
    const run = runs.start(generationOf({ requestId: "a" }));
    run.finish();
    runs.settle("a");
    await expect(run.done).resolves.toBeUndefined();
    expect(runs.get("a")).toBeUndefined();
    runs.settle("a"); // written twice
  });

  it("rejects a run that is dropped, and returns its generation once", async () => {
    const runs = new ActiveRuns();
    const run = runs.start(generationOf({ requestId: "a" }));
    expect(runs.drop("a", new Error("fenced"))).toBe(run.generation);
    expect(runs.drop("a", new Error("fenced"))).toBeUndefined();
    await expect(run.done).rejects.toThrow("fenced");
  });

  it("rejects every run at once", async () => {
    const runs = new ActiveRuns();
    const all = ["a", "b"].map((requestId) => runs.start(generationOf({ requestId })).done);
    runs.rejectAll(new Error("closing"));
    for (const result of await Promise.allSettled(all)) expect(result.status).toBe("rejected");
    expect(runs.generating()).toEqual([]);
  });
});

describe("Run.startDeadline", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const start = (leftMs: number) => {
    const passed = vi.fn();
    const run = new ActiveRuns().start(generationOf({ deadlineAtMs: Date.now() + leftMs }));
    run.startDeadline(passed);
    return { run, passed };
  };

  it("calls back when the deadline passes", () => {
    const { passed } = start(1000);
    vi.advanceTimersByTime(999);
    expect(passed).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(passed).toHaveBeenCalledOnce();
  });

  it("does not call back after the run is finished", () => {
    const { run, passed } = start(1000);
    run.finish();
    vi.advanceTimersByTime(2000);
    expect(passed).not.toHaveBeenCalled();
  });

  it("waits for deadlines beyond Node's longest timer, 2^31 - 1 ms", () => {
    const { passed } = start(2 ** 33);
    vi.advanceTimersByTime(2 ** 31 - 2);
    expect(passed).not.toHaveBeenCalled();
  });
});
