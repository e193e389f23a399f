import { expect, onTestFinished, test } from "vitest";
import type { BreakableCluster, ClusterProcess } from "./local-cluster.js";
import { NotBack, Striker } from "./striker.js";

/** A cluster whose processes do nothing but note the signals that they get. */
function fakeCluster(names: readonly string[]) {
  const alive: ClusterProcess[] = names.map((name, index) => ({ name, pid: index + 1, startedAt: "0" }));
  const signals: string[] = [];
  const stopped = new Set<ClusterProcess>();
  const done = (what: string) => {
    signals.push(what);
    return () => void signals.push(`end of ${what}`);
  };
  const remove = (process: ClusterProcess): void => void alive.splice(alive.indexOf(process), 1);
  const cluster: BreakableCluster = {
    url: "http://127.0.0.1:1",
    apiKey: undefined,
    redisInMemory: false,
    redisUrl: null,
    folder: "/nowhere",
    processes: async () => [...alive],
    isAlive: (process) => alive.includes(process),
    isStopped: (process) => alive.includes(process) && stopped.has(process),
    signal(process, signal) {
      if (!alive.includes(process)) return false;
      signals.push(`${signal} ${process.name}`);
      if (signal === "SIGKILL") remove(process);
      if (signal === "SIGSTOP") stopped.add(process);
      return true;
    },
    status: async () => [],
    revive: async (supervisor) => void signals.push(`revive ${supervisor}`),
    network: {
      hosts: ["front", "worker-2"],
      cut: (from, to) => done(`cut ${from} ${to}`),
      unplug: (host) => done(`unplug ${host}`),
    },
  };
  const interrupt = new AbortController();
  const striker = new Striker({ cluster, signal: interrupt.signal, returnMs: 100 });
  onTestFinished(() => striker.close());
  return { striker, signals, alive, stopped, interrupt, remove };
}

const kill = (process: string, number = 1) => ({ number, pauseMs: 0, deed: { act: "kill", process } as const });
const stop = (process: string, stopMs: number) => {
  return { number: 1, pauseMs: 0, deed: { act: "stop", process, stopMs } as const };
};

test("a process is killed, and noted with its time", async () => {
  const { striker, signals } = fakeCluster(["gateway", "worker-1"]);
  const before = performance.now();
  const fault = await striker.strike(kill("worker-1", 5));
  expect(fault).toMatchObject({ number: 5, name: "kill worker", target: "worker-1", until: fault.at });
  expect(fault.at).toBeGreaterThanOrEqual(before);
  expect([signals, striker.struck]).toEqual([["SIGKILL worker-1"], [fault]]);
});

test("the cluster is disturbed while a fault is made or lasts, and until the last one was over", async () => {
  const { striker } = fakeCluster(["gateway"]);
  expect(striker.disturbedUntil).toBe(0);
  const missing = striker.strike(kill("worker-1"));
  expect(striker.disturbedUntil).toBeGreaterThan(0);
  await expect(missing).rejects.toThrow(NotBack);
  expect(striker.disturbedUntil).toBe(0);
  const { at } = await striker.strike(stop("gateway", 60));
  expect(striker.disturbedUntil).toBeGreaterThan(at);
  await striker.settled();
  expect(striker.disturbedUntil).toBe(striker.struck[0]?.until);
});

test("after a killed supervisor the cluster is started again", async () => {
  const { striker, signals } = fakeCluster(["supervisor"]);
  await striker.strike(kill("supervisor"));
  expect(signals).toEqual(["SIGKILL supervisor", "revive supervisor"]);
});

test("a stopped process is woken after its time", async () => {
  const { striker, signals } = fakeCluster(["gateway"]);
  const { at } = await striker.strike(stop("gateway", 30));
  expect(signals).toEqual(["SIGSTOP gateway"]);
  await striker.settled();
  expect(signals).toEqual(["SIGSTOP gateway", "SIGCONT gateway"]);
  expect(striker.struck[0]?.until).toBeGreaterThanOrEqual(at + 30);
});

test("one that was killed meanwhile was stopped until then, and no later one is woken", async () => {
  const { striker, signals, alive, remove } = fakeCluster(["gateway"]);
  const { at } = await striker.strike(stop("gateway", 60_000));
  for (const process of [...alive]) remove(process);
  alive.push({ name: "gateway", pid: 1, startedAt: "1" });
  await striker.settled();
  expect(signals).toEqual(["SIGSTOP gateway"]);
  expect((striker.struck[0]?.until ?? at) - at).toBeLessThan(30_000);
});

test("one that its supervisor has woken was stopped until then", async () => {
  const { striker, signals, stopped } = fakeCluster(["gateway"]);
  const { at } = await striker.strike(stop("gateway", 60_000));
  stopped.clear();
  await striker.settled();
  expect(signals).toEqual(["SIGSTOP gateway", "SIGCONT gateway"]);
  expect((striker.struck[0]?.until ?? at) - at).toBeLessThan(30_000);
});

test("what is stopped when it is over is woken at once, also after an interrupt", async () => {
  const { striker, signals, interrupt } = fakeCluster(["gateway"]);
  await striker.strike(stop("gateway", 60_000));
  interrupt.abort();
  await striker.close();
  expect(signals).toContain("SIGCONT gateway");
});

const lasting = { number: 1, pauseMs: 0 };

test("a partition and a cable last for their time, and end at once when all is over", async () => {
  const { striker, signals } = fakeCluster([]);
  const both = { act: "part", hosts: ["front", "worker-2"], oneWay: false, forMs: 30 } as const;
  const { at } = await striker.strike({ ...lasting, deed: both });
  await striker.settled();
  expect(striker.struck[0]).toMatchObject({ name: "part front | worker-2", target: "front worker-2" });
  expect(striker.struck[0]?.until).toBeGreaterThanOrEqual(at + 30);
  const cuts = ["cut front worker-2", "cut worker-2 front"];
  expect(signals).toEqual([...cuts, ...cuts.map((each) => `end of ${each}`)]);
  signals.length = 0;
  await striker.strike({ ...lasting, deed: { ...both, oneWay: true, forMs: 60_000 } });
  await striker.strike({ ...lasting, deed: { act: "pull", host: "front", forMs: 60_000 } });
  await striker.close();
  expect(signals.toSorted()).toEqual(
    ["cut front worker-2", "unplug front"].flatMap((each) => [each, `end of ${each}`]).toSorted(),
  );
  expect(striker.struck[1]?.name).toBe("part front > worker-2");
});

test("a process that does not come back is named", async () => {
  const { striker } = fakeCluster([]);
  await expect(striker.strike(kill("gateway"))).rejects.toThrow("gateway has not come back within 0.1 s");
  const link = { number: 1, pauseMs: 0, deed: { act: "reset", share: 0.5 } as const };
  await expect(striker.strike(link)).rejects.toThrow(NotBack);
});
