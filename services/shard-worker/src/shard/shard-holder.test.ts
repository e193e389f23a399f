import { createLogger, RhoneError, type WorkerMessage } from "@rhone/common";
import { rhone } from "@rhone/proto";
import { fileAtPath } from "@rhone/weights";
import { expect, test, vi } from "vitest";
import { deferred } from "../../../../packages/common/src/grpc/testing/deferred.js";
import { createMetrics } from "../metrics.js";
import type { RunnableStage } from "../stage/stage.js";
import { ScriptedStage } from "../testing/scripted-stage.js";
import type { Device, LoadedShard, LoadRequest } from "./device.js";
import { ShardHolder } from "./shard-holder.js";

const logger = createLogger({ service: "test", level: "silent" });
const FACTS = { engine: "e", device: "d", kernels: "ggml", gflops: 1, bandwidth: 1, simulated: false, rowBlock: 1 };
const model = { name: "m", path: "/m.gguf", fingerprint: "f", stamp: "s", origin: "", sources: [] };
const load = { load: 5, model, firstLayer: 1, lastLayer: 3, pages: 4, pageSize: 32, maxRows: 16 };

/** A runner that does one work after another, as the real one. */
class SerialRunner {
  readonly stages: (RunnableStage | null)[] = [];
  #tasks: Promise<unknown> = Promise.resolve();

  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tasks.then(work);
    this.#tasks = done.catch(() => {});
    return done;
  }

  replaceStage(stage: RunnableStage | null): void {
    this.stages.push(stage);
  }
}

function shardOf(changes: Partial<LoadedShard> = {}): LoadedShard {
  const stage = new ScriptedStage(() => ({ kind: "results", spans: [] }));
  return {
    stage,
    weightBytes: 100,
    pageBytes: 20,
    given: null,
    varies: "why",
    measure: async () => [],
    close: vi.fn(),
    ...changes,
  };
}

function openHolder(loadOnDevice: Device["load"]) {
  const runner = new SerialRunner();
  const metrics = createMetrics();
  const device = { facts: FACTS, memoryFree: null, weightBytes: 0, load: loadOnDevice, hold: vi.fn() };
  const holder = new ShardHolder({ device, files: fileAtPath, runner, metrics, logger });
  const answers: WorkerMessage[] = [];
  const answer = (message: WorkerMessage): void => void answers.push(message);
  const bytes = async () => [
    (await metrics.weightBytes.get()).values[0]?.value,
    (await metrics.pageBytes.get()).values[0]?.value,
  ];
  return { holder, runner, answers, answer, bytes };
}

test("a load is answered with progress, then ready; the runner gets the stage", async () => {
  const shard = shardOf();
  const requests: LoadRequest[] = [];
  const { holder, runner, answers, answer, bytes } = openHolder(async (request) => {
    requests.push(request);
    request.onProgress("fetch", 50, 50);
    request.onProgress("load", 10, 100); // within 250 ms of the one before
    request.onProgress("load", 100, 100);
    return shard;
  });
  await holder.load(load, answer);
  expect(requests[0]).toMatchObject({
    files: fileAtPath,
    order: { model, range: { first: 1, last: 3, embeds: false, heads: false }, pages: 4, maxRows: 16 },
  });
  expect(answers).toEqual([
    { progress: { load: 5, phase: rhone.v1.LoadPhase.PHASE_FETCH, bytes: 50, totalBytes: 50 } },
    { progress: { load: 5, phase: rhone.v1.LoadPhase.PHASE_LOAD, bytes: 100, totalBytes: 100 } },
    { ready: { load: 5, weightBytes: 100, pageBytes: 20, varies: "why", resident: expect.any(Number) } },
  ]);
  expect(runner.stages).toEqual([null, shard.stage]);
  expect(await bytes()).toEqual([100, 20]);
});

test.each([
  ["named", new RhoneError("OUT_OF_MEMORY", "100 of 90 bytes"), { code: "OUT_OF_MEMORY", message: "100 of 90 bytes" }],
  ["any other", new Error("private"), { code: "INTERNAL", message: expect.not.stringContaining("private") }],
])("a load that fails with %s error is answered with it, and nothing is held", async (_name, error, failed) => {
  const { holder, answers, answer, runner, bytes } = openHolder(() => Promise.reject(error));
  await holder.load(load, answer);
  expect(answers).toEqual([{ failed: { load: 5, ...failed } }]);
  expect(runner.stages).toEqual([null]);
  expect(await bytes()).toEqual([0, 0]);
});

test("a malformed order is refused by name before the device sees it", async () => {
  const onDevice = vi.fn();
  const { holder, answers, answer } = openHolder(onDevice);
  await holder.load({ ...load, pageSize: 0 }, answer);
  expect(answers[0]?.failed).toMatchObject({
    code: "MESSAGE_MALFORMED",
    message: expect.stringMatching(/^load.page_size/),
  });
  expect(onDevice).not.toHaveBeenCalled();
});

test("a second load frees the first shard before it reads anything", async () => {
  const close = vi.fn();
  let closedBefore: number | undefined;
  const shards = [shardOf({ close }), shardOf()];
  const { holder, answers, answer } = openHolder(async ({ makeRoom }) => {
    makeRoom?.(100);
    closedBefore = close.mock.calls.length;
    return shards.shift() ?? shardOf();
  });
  await holder.load(load, answer);
  expect(closedBefore).toBe(0);
  await holder.load({ ...load, load: 6, firstLayer: 2 }, answer);
  expect(closedBefore).toBe(1);
  expect(answers.map(({ ready }) => ready?.load)).toEqual([5, 6]);
});

test.each([
  ["the same", {}, 1],
  ["the same from other sources", { model: { ...model, sources: ["h:1"] } }, 1],
  ["another file", { model: { ...model, stamp: "t" } }, 2],
  ["more pages", { pages: 5 }, 2],
])(
  "an order for %s, as of a coordinator that was started again (%j): loaded %d times in all",
  async (_, changes, loads) => {
    const onDevice = vi.fn(async () => shardOf());
    const { holder, runner, answers, answer } = openHolder(onDevice);
    await holder.load(load, answer);
    await holder.load({ ...load, ...changes, load: 1 }, answer);
    expect(onDevice).toHaveBeenCalledTimes(loads);
    expect(answers.map(({ ready }) => [ready?.load, ready?.weightBytes])).toEqual([
      [5, 100],
      [1, 100],
    ]);
    expect(runner.stages.at(-1)).not.toBeNull();
  },
);

test("a shard whose load failed is not kept", async () => {
  const onDevice = vi.fn(async () => shardOf()).mockRejectedValueOnce(new Error("no"));
  const { holder, answers, answer } = openHolder(onDevice);
  for (const number of [5, 6]) await holder.load({ ...load, load: number }, answer);
  expect(answers.map(({ ready, failed }) => [ready?.load, failed?.load])).toEqual([
    [undefined, 5],
    [6, undefined],
  ]);
});

test("a later load aborts the one before, which then answers nothing", async () => {
  const started = deferred<AbortSignal>();
  const { holder, answers, answer } = openHolder(async ({ order, signal }) => {
    if (order.range.first === 2) return shardOf();
    started.resolve(signal);
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    return shardOf();
  });
  const first = holder.load(load, answer);
  const signal = await started.promise;
  const second = holder.load({ ...load, load: 6, firstLayer: 2 }, answer);
  expect(signal.aborted).toBe(true);
  await Promise.all([first, second]);
  expect(answers.map(({ ready, failed }) => [ready?.load, failed?.load])).toEqual([[6, undefined]]);
});

test("a release frees the shard, and aborts a load that runs", async () => {
  const close = vi.fn();
  const { holder, answer, runner, bytes } = openHolder(async () => shardOf({ close }));
  await holder.load(load, answer);
  await holder.release();
  expect(close).toHaveBeenCalledTimes(1);
  expect(runner.stages.at(-1)).toBeNull();
  expect(await bytes()).toEqual([0, 0]);
  await holder.release();
  expect(close).toHaveBeenCalledTimes(1);
});

test.each([
  ["its step times", async (rows: readonly number[]) => rows.map((count) => ({ rows: count, layerMs: 2, headMs: 1 }))],
  ["none when timing fails", () => Promise.reject(new Error("no memory"))],
])("a calibration is answered with %s", async (name, measure) => {
  const { holder, answers, answer } = openHolder(async () => shardOf({ measure }));
  await holder.load(load, answer);
  await holder.calibrate({ calibration: 9, rows: [1, 8] }, answer);
  const times = [1, 8].map((rows) => ({ rows, layerMs: 2, headMs: 1 }));
  const stepTimes = name.startsWith("none") ? [] : times;
  expect(answers.at(-1)).toEqual({ calibrated: { calibration: 9, stepTimes, waited: expect.any(Number) } });
});

test("a shard is timed once for each list of rows, and again when another is loaded", async () => {
  const measure = vi.fn(async (rows: readonly number[]) =>
    rows.map((count) => ({ rows: count, layerMs: 2, headMs: 1 })),
  );
  const { holder, answers, answer } = openHolder(async () => shardOf({ measure }));
  for (const pages of [4, 4, 5]) {
    await holder.load({ ...load, pages }, answer);
    for (const rows of [[1, 8], [1]]) await holder.calibrate({ calibration: 9, rows }, answer);
  }
  expect(measure.mock.calls).toEqual([[[1, 8]], [[1]], [[1, 8]], [[1]]]);
  const timed = answers.flatMap(({ calibrated }) => (calibrated == null ? [] : [calibrated.stepTimes?.length]));
  expect(timed).toEqual([2, 1, 2, 1, 2, 1]);
});

test("a calibration without a shard is answered with no times", async () => {
  const { holder, answers, answer } = openHolder(async () => shardOf());
  await holder.calibrate({ calibration: 9, rows: [1] }, answer);
  expect(answers).toEqual([{ calibrated: { calibration: 9, stepTimes: [], waited: expect.any(Number) } }]);
});

const NEXT = { ...load, load: 6, firstLayer: 2 };

test("a shard beside the one that serves is loaded while steps run, and takes its place at once", async () => {
  const close = vi.fn();
  const [serving, next] = [shardOf({ close }), shardOf({ weightBytes: 200 })];
  const loadOnDevice = vi.fn(async ({ order }: LoadRequest) => (order.range.first === 2 ? next : serving));
  const { holder, runner, answers, answer, bytes } = openHolder(loadOnDevice);
  await holder.load(load, answer);
  const step = deferred<void>();
  const stepped = runner.exclusively(() => step.promise);
  await holder.load({ ...NEXT, beside: true }, answer);
  expect(answers.at(-1)?.ready).toMatchObject({ load: 6, weightBytes: 200, beside: true });
  expect([runner.stages.at(-1), close.mock.calls.length]).toEqual([serving.stage, 0]);
  step.resolve();
  await stepped;
  // Other places where the weights may be had make no other shard.
  await holder.load({ ...NEXT, load: 7, model: { ...model, sources: ["b:1"] } }, answer);
  expect(answers.at(-1)?.ready).toMatchObject({ load: 7, weightBytes: 200 });
  expect(answers.at(-1)?.ready?.beside).toBeUndefined();
  expect([runner.stages.at(-1), close.mock.calls.length]).toEqual([next.stage, 1]);
  expect(await bytes()).toEqual([200, 20]);
  expect(loadOnDevice).toHaveBeenCalledTimes(2);
});

test("a load waits for its shard that is being loaded beside, and reports its progress", async () => {
  const loading = deferred<LoadedShard>();
  let progress: LoadRequest["onProgress"] = () => {};
  const { holder, answers, answer } = openHolder(({ onProgress }) => {
    progress = onProgress;
    return loading.promise;
  });
  const beside = holder.load({ ...NEXT, beside: true }, answer);
  const taken = holder.load({ ...NEXT, load: 7 }, answer);
  await vi.waitFor(() => {
    progress("load", 100, 100);
    expect(answers.at(-1)?.progress).toMatchObject({ load: 7, bytes: 100 });
  });
  loading.resolve(shardOf());
  await Promise.all([beside, taken]);
  expect(answers.flatMap(({ ready }) => ready?.load ?? [])).toEqual([7]);
});

test.each<[string, (holder: ShardHolder, answer: (message: WorkerMessage) => void) => Promise<void>]>([
  ["another load", (holder, answer) => holder.load({ ...load, firstLayer: 0 }, answer)],
  ["another one beside", (holder, answer) => holder.load({ ...load, firstLayer: 0, beside: true }, answer)],
  ["a release of the one beside", (holder) => holder.release({ beside: true })],
  ["a release", (holder) => holder.release()],
])("%s frees the shard beside", async (_, free) => {
  const close = vi.fn();
  const { holder, answer } = openHolder(async ({ order }) => shardOf(order.range.first === 2 ? { close } : {}));
  await holder.load({ ...NEXT, beside: true }, answer);
  await free(holder, answer);
  await vi.waitFor(() => expect(close).toHaveBeenCalledTimes(1));
});

test("a release of the shard beside aborts its load, which answers nothing, and leaves the one that serves", async () => {
  const close = vi.fn();
  const { holder, answers, answer, runner } = openHolder(async ({ order, signal }) => {
    if (order.range.first !== 2) return shardOf({ close });
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  await holder.load(load, answer);
  const beside = holder.load({ ...NEXT, beside: true }, answer);
  await holder.release({ beside: true });
  await beside;
  expect(answers.map(({ ready, failed }) => [ready?.load, failed?.load])).toEqual([[5, undefined]]);
  expect([close.mock.calls.length, runner.stages.at(-1)]).not.toContain(null);
});

test("a shard that finds no memory beside the other one is loaded in its place", async () => {
  let tries = 0;
  const { holder, answers, answer } = openHolder(async ({ order }) => {
    if (order.range.first === 2 && tries++ === 0) throw new RhoneError("OUT_OF_MEMORY", "no room for two");
    return shardOf();
  });
  await holder.load(load, answer);
  await holder.load({ ...NEXT, beside: true }, answer);
  expect(answers.at(-1)?.failed).toMatchObject({ load: 6, code: "OUT_OF_MEMORY" });
  await holder.load({ ...NEXT, load: 7 }, answer);
  expect(answers.at(-1)?.ready?.load).toBe(7);
});

test.each([
  ["stay where a shard has nothing to read", 0, []],
  ["are freed for one that reads weights, and with a release", 1, ["spare"]],
])("spare weights %s", async (_, bytes, freed) => {
  const closed: string[] = [];
  const hold = async () => ({ close: () => void closed.push("spare") });
  const loadOnDevice: Device["load"] = async ({ makeRoom }) => {
    makeRoom?.(bytes);
    return shardOf();
  };
  const runner = new SerialRunner();
  const device = { facts: FACTS, memoryFree: null, weightBytes: 0, load: loadOnDevice, hold };
  const holder = new ShardHolder({ device, files: fileAtPath, runner, metrics: createMetrics(), logger });
  const answers: WorkerMessage[] = [];
  await holder.hold({ load: 1, model, layers: [{ firstLayer: 3, lastLayer: 4 }] }, (answer) => answers.push(answer));
  await holder.load(load, () => {});
  expect([answers, closed]).toEqual([[{ ready: { load: 1, spare: true } }], freed]);
  await holder.release();
  expect(closed).toEqual(["spare"]);
});
