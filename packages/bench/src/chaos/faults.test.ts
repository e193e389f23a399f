import { describe, expect, it } from "vitest";
import { FAULT_KINDS, type Fault, type FaultOrder, nameOfDeed, planFaults } from "./faults.js";

const processes = ["supervisor", "redis", "redis-server", "coordinator", "worker-1", "worker-2", "gateway"];
const order: FaultOrder = {
  ...{ seed: 7, faults: 400, kinds: FAULT_KINDS, processes, hosts: [] },
  ...{ pauseMs: [500, 2000], stopMs: [5000, 60_000], partMs: [1000, 30_000] },
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

  it("ends processes more often where faults take their time, and waits no longer for it", () => {
    const hurried = { ...order, pauseMs: [100, 100], kinds: ["coordinator", "link"] } as const;
    const kills = (faults: readonly Fault[]): number => faults.filter(({ deed }) => deed.act === "kill").length;
    const slow = planFaults({ ...hurried, eachMs: 20_000 });
    expect(kills(planFaults(hurried))).toBeLessThanOrEqual(3);
    expect(kills(slow)).toBeGreaterThan(100);
    expect(slow.every(({ pauseMs }) => pauseMs === 100)).toBe(true);
  });

  it("parts every two hosts, both ways and one way, and pulls cables, where there are hosts", () => {
    const hosts = ["redis", "front", "worker-2"];
    const faults = planFaults({ ...order, hosts, kinds: ["part", "cable"] });
    const pairs = ["redis | front", "redis | worker-2", "front | worker-2"].flatMap((pair) => {
      const [one, other] = pair.split(" | ");
      return [pair, `${one} > ${other}`, `${other} > ${one}`];
    });
    const names = faults.map(({ deed }) => nameOfDeed(deed));
    expect(new Set(names)).toEqual(new Set(["pull cable", ...pairs.map((pair) => `part ${pair}`)]));
    const lengths = faults.flatMap(({ deed }) => ("forMs" in deed ? [deed.forMs] : []));
    expect([lengths.length, Math.min(...lengths) >= 1000, Math.max(...lengths) <= 30_000]).toEqual([400, true, true]);
  });

  it("counts a worker's ends again once its own supervisor was killed, and no other's", () => {
    const spread = ["supervisor", "worker-1", "supervisor-2", "worker-2"];
    const kinds = ["worker", "supervisor"] as const;
    const ends = new Map<string, number[]>();
    for (const { deed, atMs } of timesOf(planFaults({ ...order, kinds, processes: spread, faults: 200 }))) {
      if (deed.act !== "kill") throw new Error("no kind of these stops");
      if (deed.process === "supervisor") ends.delete("worker-1");
      else if (deed.process === "supervisor-2") ends.delete("worker-2");
      else {
        const before = ends.get(deed.process) ?? [];
        expect(before.filter((at) => at > atMs - 60_000).length).toBeLessThan(3);
        ends.set(deed.process, [...before, atMs]);
      }
    }
  });

  it("refuses kinds without a process", () => {
    expect(() => planFaults({ ...order, kinds: ["redis"], processes: ["gateway"] })).toThrow(RangeError);
  });
});
