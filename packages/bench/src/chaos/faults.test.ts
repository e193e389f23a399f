import { describe, expect, it } from "vitest";
import { FAULT_KINDS, type Fault, type FaultOrder, nameOfDeed, planFaults } from "./faults.js";

const processes = ["supervisor", "redis", "redis-server", "coordinator", "worker-1", "worker-2", "gateway"];
const order: FaultOrder = {
  ...{ seed: 7, faults: 400, kinds: FAULT_KINDS, processes },
  ...{ pauseMs: [500, 2000], stopMs: [5000, 60_000] },
};

/** When each fault is made, by the plan. */
function timesOf(faults: readonly Fault[]): readonly (Fault & { readonly atMs: number })[] {
  let atMs = 0;
  return faults.map((fault) => {
    atMs += fault.pauseMs;
    return { ...fault, atMs };
  });
}

describe("planFaults", () => {
  it("makes the same faults of the same seed, others of another", () => {
    expect(planFaults(order)).toEqual(planFaults({ ...order }));
    expect(planFaults({ ...order, seed: 8 })).not.toEqual(planFaults(order));
  });

  it("makes every kind of fault, within the ranges", () => {
    const faults = planFaults(order);
    expect(faults.map(({ number }) => number)).toEqual(faults.map((_, index) => index + 1));
    expect(new Set(faults.map(({ deed }) => nameOfDeed(deed)))).toEqual(
      new Set([
        ...["kill worker", "kill coordinator", "kill gateway", "kill redis host", "kill redis-server"],
        ...["kill supervisor", "stop worker", "stop coordinator", "stop gateway", "stop redis host"],
        ...["stop redis-server", "stop supervisor", "reset link"],
      ]),
    );
    for (const { deed, pauseMs } of faults) {
      expect(pauseMs).toBeGreaterThanOrEqual(500);
      if (deed.act !== "stop") continue;
      expect(deed.stopMs).toBeGreaterThanOrEqual(5000);
      expect(deed.stopMs).toBeLessThanOrEqual(60_000);
    }
  });

  it.each([
    ["all kinds", FAULT_KINDS],
    ["one process", ["gateway"] as const],
  ])("ends no process more than three times a minute, nor its supervisor's patience: %s", (_, kinds) => {
    const ends = new Map<string, number[]>();
    for (const { deed, atMs } of timesOf(planFaults({ ...order, kinds, faults: 100 }))) {
      if (deed.act !== "kill") continue;
      if (deed.process === "supervisor") {
        ends.clear();
        continue;
      }
      const name = deed.process.replace("redis-server", "redis");
      const before = ends.get(name) ?? [];
      expect(before.filter((at) => at > atMs - 60_000).length).toBeLessThan(3);
      ends.set(name, [...before, atMs]);
    }
  });

  it("refuses kinds without a process", () => {
    expect(() => planFaults({ ...order, kinds: ["redis"], processes: ["gateway"] })).toThrow(RangeError);
  });
});
