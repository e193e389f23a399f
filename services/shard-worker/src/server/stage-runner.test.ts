import { createLogger, type Frame, type FrameSender, type Peer, RhoneError } from "@rhone/common";
import { GgmlType } from "@rhone/ggml";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { deferred } from "../../../../packages/common/src/grpc/testing/deferred.js";
import { TestReceiver } from "../../../../packages/common/src/grpc/testing/frame-receiver.js";
import { createMetrics } from "../metrics.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { ScriptedStage } from "../testing/scripted-stage.js";
import { tokenBytes } from "../testing/steps.js";
import type { EpochOrder } from "../wire/read-order.js";
import type { StageOutput } from "../wire/step.js";
import { StageRunner } from "./stage-runner.js";

const logger = createLogger({ service: "test", level: "silent" });
/** A sender that certificates tell nothing of. */
const ANYONE: FrameSender = { peer: null, refuse: () => {} };
const NOTHING: StageOutput = { kind: "results", spans: [] };

/** A frame of epoch 1 with one row, which holds `token`. */
const stepFrame = (step: number, token = step, epoch = 1): Frame => {
  const spans = [{ sequence: 1, position: 0, count: 1 }];
  return { pipeline: "p", epoch, step, stepBody: { spans, tokens: tokenBytes([token]) } };
};
const order = (next: string, epoch = 1) => ({
  ...{ pipeline: "p", epoch, stage: 2, next, activations: GgmlType.F16 },
  ...{ nextWorker: "x", upstream: "v", detour: null },
});

describe("StageRunner", () => {
  let next: TestReceiver;
  let runner: StageRunner;
  const broken = vi.fn<(error: RhoneError, isBarred: boolean) => void>();
  const events = { broken, proven: vi.fn() };
  const metrics = createMetrics();

  beforeEach(async () => {
    next = await TestReceiver.open();
    onTestFinished(() => next.close());
    metrics.registry.resetMetrics();
    broken.mockReset();
    runner = new StageRunner({ worker: "w", security: PLAINTEXT, metrics, logger });
    onTestFinished(() => runner.exclusively(async () => runner.replaceStage(null)));
  });

  /** Holds `stage` and takes part in epoch 1. */
  async function open(stage: ScriptedStage, changes: Partial<EpochOrder> = {}): Promise<ScriptedStage> {
    await runner.exclusively(async () => runner.replaceStage(stage));
    await runner.openEpoch({ ...order(next.address), ...changes }, events);
    return stage;
  }

  it("knows how many bytes of activations a step of its stage may bring", async () => {
    expect(runner.stepBytes).toBe(0);
    await open(new ScriptedStage(() => NOTHING, { maxRows: 7, rowBytes: (type) => (type === GgmlType.F32 ? 40 : 20) }));
    expect(runner.stepBytes).toBe(280);
  });

  it("runs frames one at a time, in arrival order, and sends the results in that order", async () => {
    const first = deferred<StageOutput>();
    const stage = await open(new ScriptedStage((step) => (step.tokens[0] === 1 ? first.promise : NOTHING)));
    for (const step of [1, 2, 3]) runner.accept(stepFrame(step), ANYONE);
    await vi.waitFor(() => expect(stage.ran).toEqual([1]));
    first.resolve(NOTHING);
    expect((await next.received(3)).map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(stage.ran).toEqual([1, 2, 3]);
  });

  it("sends activations on in the type that the neighbour expects", async () => {
    await open(new ScriptedStage((_, type) => ({ kind: "hidden", hidden: { type, bytes: Uint8Array.of(1, 2) } })));
    runner.accept(stepFrame(1, 77), ANYONE);
    const [frame] = await next.received(1);
    expect(frame).toMatchObject({
      pipeline: "p",
      epoch: 1,
      step: 1,
      stepBody: { hidden: Buffer.of(1, 2), hiddenType: 1 },
    });
    expect(frame?.stepBody?.tokens).toEqual(Buffer.from(tokenBytes([77]))); // the last stage compares drafts with them
  });

  it("tells the coordinator, with pipeline and epoch, when a sequence is ready, also between steps", async () => {
    const stage = await open(new ScriptedStage(() => NOTHING));
    stage.onReady({ sequence: 7, error: null });
    stage.onReady({ sequence: 8, error: new RhoneError("STAGE_FAILED", "no") });
    const frames = await next.received(2);
    expect(frames).toMatchObject([
      { pipeline: "p", epoch: 1, ready: { sequence: 7, error: null } },
      { pipeline: "p", epoch: 1, ready: { sequence: 8, error: { code: "STAGE_FAILED", message: "no" } } },
    ]);
  });

  it("adds its name to a probe, and passes results and failures of other stages on", async () => {
    await open(new ScriptedStage(() => NOTHING));
    const head = { pipeline: "p", epoch: 1 };
    runner.accept({ ...head, step: 1, probe: { workers: ["v"] } }, ANYONE);
    runner.accept({ ...head, step: 2, failure: { code: "KV_FULL", message: "full", worker: "v", stage: 0 } }, ANYONE);
    const [probe, failure] = await next.received(2);
    expect(probe?.probe?.workers).toEqual(["v", "w"]);
    expect(failure).toMatchObject({ step: 2, failure: { code: "KV_FULL", message: "full", worker: "v" } });
  });

  it("sends frames over the coordinator on a detour, named by their stage, and tells when none is needed", async () => {
    const coordinator = await TestReceiver.open();
    onTestFinished(() => coordinator.close());
    const detour = { by: coordinator.address, provenMs: 0 };
    await open(new ScriptedStage(() => NOTHING), { detour });
    runner.accept(stepFrame(1), ANYONE);
    expect(await coordinator.received(1)).toMatchObject([{ step: 1, toStage: 3 }]);
    await vi.waitFor(() => expect(events.proven).toHaveBeenCalledOnce(), { timeout: 20_000 });
    expect(next.frames).toEqual([]);
  });

  it.each<[string, Frame]>([
    ["another epoch", stepFrame(1, 1, 2)],
    ["an epoch before", stepFrame(1, 1, 0)],
    ["another pipeline", { ...stepFrame(1), pipeline: "q" }],
  ])("drops frames of %s", async (_name, frame) => {
    const stage = await open(new ScriptedStage(() => NOTHING));
    runner.accept(frame, ANYONE);
    runner.accept(stepFrame(9), ANYONE);
    expect((await next.received(1)).map(({ step }) => step)).toEqual([9]);
    expect(stage.ran).toEqual([9]);
  });

  it("forgets sequences when an epoch opens, and drops what still waits of the one before", async () => {
    const first = deferred<StageOutput>();
    const stage = await open(new ScriptedStage((step) => (step.tokens[0] === 1 ? first.promise : NOTHING)));
    expect(stage.resets).toBe(1);
    runner.accept(stepFrame(1), ANYONE);
    runner.accept(stepFrame(2), ANYONE);
    await vi.waitFor(() => expect(stage.ran).toEqual([1]));
    const opened = runner.openEpoch(order(next.address, 2), events);
    first.resolve(NOTHING);
    await opened;
    expect(stage.resets).toBe(2);
    runner.accept(stepFrame(3, 3, 2), ANYONE);
    expect((await next.received(1)).map(({ epoch, step }) => [epoch, step])).toEqual([[2, 3]]);
    expect(stage.ran).toEqual([1, 3]);
  });

  it("tells when the link to its neighbour breaks, and not when it leaves the epoch itself", async () => {
    await open(new ScriptedStage(() => NOTHING));
    await runner.openEpoch(order(next.address, 2), events);
    runner.accept(stepFrame(1, 1, 2), ANYONE);
    await next.received(1);
    expect(broken).not.toHaveBeenCalled();
    next.close();
    await vi.waitFor(() => expect(broken).toHaveBeenCalledOnce());
    expect(broken.mock.calls[0]?.[0].message).toContain(`The connection to the next stage at ${next.address} failed: `);
  });

  it("leaves its epoch with its stage", async () => {
    const stage = await open(new ScriptedStage(() => NOTHING));
    await runner.exclusively(async () => runner.replaceStage(stage));
    runner.accept(stepFrame(1), ANYONE);
    await runner.exclusively(async () => {});
    expect(stage.ran).toEqual([]);
  });

  it.each([
    ["a named error", new RhoneError("OUT_OF_MEMORY", "3 of 2 MiB"), "OUT_OF_MEMORY", "3 of 2 MiB"],
    ["any other", new Error("private"), "INTERNAL", "An internal error occurred; the service's log has the details."],
  ])("sends a failure in place of a step that threw %s, and goes on", async (_name, thrown, code, message) => {
    await open(
      new ScriptedStage((step) => {
        if (step.tokens[0] === 1) throw thrown;
        return NOTHING;
      }),
    );
    runner.accept(stepFrame(1), ANYONE);
    runner.accept(stepFrame(2), ANYONE);
    const [failed, good] = await next.received(2);
    expect(failed).toMatchObject({ step: 1, failure: { code, message, worker: "w", stage: 2 } });
    expect(good).toMatchObject({ step: 2, result: {} });
    expect((await metrics.failures.get()).values[0]?.value).toBe(1);
  });

  it("refuses a malformed step by name, without running any of it", async () => {
    const stage = await open(new ScriptedStage(() => NOTHING));
    runner.accept(stepFrame(1, 1000), ANYONE);
    const [frame] = await next.received(1);
    expect(frame?.failure).toMatchObject({
      code: "MESSAGE_MALFORMED",
      message: "step.tokens[0] is token 1000; the vocabulary has 1000, from 0 to 999.",
    });
    expect(stage.ran).toEqual([]);
  });

  it.each<[string, Peer, string]>([
    ["another worker", { cluster: "c", role: "worker", name: "x" }, "v"],
    ["a coordinator", { cluster: "c", role: "coordinator", name: "v" }, "v"],
    ["a worker in the coordinator's place", { cluster: "c", role: "worker", name: "v" }, ""],
  ])("refuses frames of %s by name, and runs none of them", async (_who, peer, upstream) => {
    const stage = await open(new ScriptedStage(() => NOTHING), { upstream });
    const refuse = vi.fn<(error: RhoneError) => void>();
    runner.accept(stepFrame(1), { peer, refuse });
    await vi.waitFor(() => expect(refuse).toHaveBeenCalledOnce());
    const wanted = upstream === "" ? "the coordinator" : `worker ${upstream}`;
    expect(refuse.mock.calls[0]?.[0]).toMatchObject({
      code: "FORBIDDEN_PEER",
      message: `Stage 2 of epoch 1 takes frames of ${wanted} only; this sender is ${peer.role} ${peer.name}.`,
    });
    expect(stage.ran).toEqual([]);
    const sender: Peer = { ...peer, role: upstream === "" ? "coordinator" : "worker", name: "v" };
    runner.accept(stepFrame(2), { peer: sender, refuse });
    await next.received(1);
    expect(stage.ran).toEqual([2]);
  });

  it("answers with a failure while it holds no shard", async () => {
    await runner.openEpoch(order(next.address), events);
    runner.accept(stepFrame(1), ANYONE);
    const [frame] = await next.received(1);
    expect(frame?.failure).toMatchObject({ code: "STAGE_FAILED", message: "This worker holds no shard." });
  });

  it("holds frames up while other work runs, and outlives work that fails", async () => {
    const stage = await open(new ScriptedStage(() => NOTHING));
    const work = deferred<void>();
    const done = runner.exclusively(() => work.promise.then(() => Promise.reject(new Error("no"))));
    runner.accept(stepFrame(1), ANYONE);
    await Promise.resolve();
    expect(stage.ran).toEqual([]);
    work.resolve();
    await expect(done).rejects.toThrow("no");
    await next.received(1);
    expect(stage.ran).toEqual([1]);
  });
});

describe("a stage's account of its time", () => {
  it("tells queueing, computing, idling and overhead apart, to the microsecond", async () => {
    let now = 1000;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
    onTestFinished(() => clock.mockRestore());
    const next = await TestReceiver.open();
    onTestFinished(() => next.close());
    const metrics = createMetrics();
    const runner = new StageRunner({ worker: "w", security: PLAINTEXT, metrics, logger });
    // Reading the frame takes 2 ms, computing 5.
    const rowBytes = (): number => {
      now += 2;
      return 4;
    };
    const stage = new ScriptedStage(
      () => {
        now += 5;
        return { kind: "hidden", hidden: { type: GgmlType.F16, bytes: new Uint8Array(3) } };
      },
      { embeds: false, rowBytes },
    );
    await runner.exclusively(async () => runner.replaceStage(stage));
    await runner.openEpoch(order(next.address), { broken: () => {}, proven: () => {} });
    onTestFinished(() => runner.exclusively(async () => runner.replaceStage(null)));
    const frame = stepFrame(1);
    const body = { ...frame.stepBody, hidden: new Uint8Array(4), timings: [{ stage: 1, computeUs: 9 }] };
    now += 40; // idle
    runner.accept({ ...frame, stepBody: body }, ANYONE);
    runner.accept({ ...frame, step: 2, stepBody: body }, ANYONE); // waits for the first
    const [first, second] = await next.received(2);
    expect(first?.stepBody?.timings).toMatchObject([
      { stage: 1, computeUs: 9 },
      { stage: 2, queuedUs: 0, computeUs: 5000, idleUs: 40_000, overheadUs: 2000 },
    ]);
    expect(second?.stepBody?.timings?.[1]).toMatchObject({
      queuedUs: 7000,
      computeUs: 5000,
      idleUs: 0,
      overheadUs: 2000,
    });
    expect([runner.steps, runner.busyUs]).toEqual([2, 10_000]);
    const value = async (metric: { get(): Promise<{ values: { value: number }[] }> }) =>
      (await metric.get()).values[0]?.value;
    expect(await value(metrics.steps)).toBe(2);
    expect(await value(metrics.rows)).toBe(2);
    expect(await value(metrics.busySeconds)).toBeCloseTo(0.01);
    expect(await value(metrics.idleSeconds)).toBeCloseTo(0.04);
    expect(await value(metrics.sentBytes)).toBe(6);
  });
});
