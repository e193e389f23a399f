import { createLogger, RhoneError } from "@rhone/common";
import { rhone } from "@rhone/proto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { TestReceiver } from "../../../../packages/common/src/grpc/testing/frame-receiver.js";
import { fakeMember } from "../testing/fake-member.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { Epoch } from "./epoch.js";
import { Routes } from "./routes.js";

const logger = createLogger({ service: "test", level: "silent" });
const { ACTIVATION_F32 } = rhone.v1.ActivationType;
const relayed = vi.fn();
const mine = { pipeline: "p", epoch: 3 };

/** Epoch 3 of pipeline p over `names`. */
function setUp(...names: readonly string[]) {
  const workers = names.map((worker) => fakeMember({ worker, rowBlock: worker.length }));
  const listener = { result: vi.fn(), prepared: vi.fn() };
  const members = workers.map(({ member }) => member);
  const routes = new Routes(logger);
  const epoch = new Epoch({
    ...{ pipeline: "p", number: 3, security: PLAINTEXT, pages: 10, members, listener, routes },
    onRelayed: relayed,
  });
  return { epoch, workers, listener, members, routes };
}

describe("Epoch", () => {
  afterEach(() => void vi.useRealTimers());

  it("tells the last stage first, and each its neighbours; the first and the last one the coordinator", () => {
    const { epoch, workers } = setUp("a", "b", "c");
    const order: string[] = [];
    for (const { member } of workers) {
      const send = member.send.bind(member);
      vi.spyOn(member, "send").mockImplementation((message) => {
        order.push(member.worker);
        send(message);
      });
    }
    epoch.open("coordinator:7100", ACTIVATION_F32);
    expect(order).toEqual(["c", "b", "a"]);
    expect(workers.map(({ sent }) => sent[0]?.epoch)).toMatchObject([
      { ...mine, stage: 0, next: "b:1", nextWorker: "b", upstream: "" },
      { ...mine, stage: 1, next: "c:1", nextWorker: "c", upstream: "a" },
      {
        ...{ ...mine, stage: 2, next: "coordinator:7100", activationType: ACTIVATION_F32 },
        ...{ nextWorker: "", upstream: "b" },
      },
    ]);
  });

  it("takes its shape from its members: as many stages, and the largest row block", () => {
    const { epoch } = setUp("a", "bbb");
    expect([epoch.stages, epoch.pages, epoch.rowBlock]).toEqual([2, 10, 3]);
    expect(epoch.includes(fakeMember({ worker: "a" }).member)).toBe(false); // joined again: another member
  });

  it("hands results on, and drops frames of another epoch or pipeline", () => {
    const { epoch, listener } = setUp("a");
    const result = { spans: [] };
    epoch.accept({ ...mine, epoch: 2, step: 1, result });
    epoch.accept({ ...mine, pipeline: "q", step: 1, result });
    epoch.accept({ ...mine, step: 7, result });
    expect(listener.result.mock.calls).toEqual([[7, result]]);
  });

  it.each([
    { sentMsAgo: null, steppedMsAgo: 9000, breaks: false, why: "nothing is in flight" },
    { sentMsAgo: 6000, steppedMsAgo: 9000, breaks: true, why: "no stage has moved since the frame was sent" },
    { sentMsAgo: 6000, steppedMsAgo: 1000, breaks: false, why: "the stages still finish steps" },
    { sentMsAgo: 1000, steppedMsAgo: 9000, breaks: false, why: "the frame was just sent" },
  ])("without progress for 5 s breaks: $breaks ($why)", ({ sentMsAgo, steppedMsAgo, breaks }) => {
    vi.useFakeTimers({ toFake: ["performance"], now: 20_000 });
    const { epoch, members } = setUp("a", "b");
    const now = performance.now();
    for (const member of members) member.steppedAt = now - steppedMsAgo;
    epoch.checkProgress(sentMsAgo === null ? null : now - sentMsAgo, 5000);
    expect(epoch.signal.aborted).toBe(breaks);
  });

  it("tells when it is over, and why, also afterwards", async () => {
    const { epoch } = setUp("a");
    const over = epoch.over;
    epoch.break(new RhoneError("WORKER_LOST", "gone"));
    expect((await over).message).toBe("gone");
    expect((await epoch.over).message).toBe("gone");
  });

  it("breaks once, with the first reason, and takes nothing afterwards", () => {
    const { epoch, listener } = setUp("a");
    epoch.break(new RhoneError("WORKER_LOST", "first"));
    epoch.break(new RhoneError("EPOCH_CHANGED", "second"));
    epoch.accept({ ...mine, step: 1, result: {} });
    expect(epoch.signal.reason.message).toBe("first");
    expect(listener.result).not.toHaveBeenCalled();
  });

  it.each([
    ["OUT_OF_MEMORY", "OUT_OF_MEMORY"],
    ["WHATEVER", "STAGE_FAILED"],
  ])("breaks by a stage's failure %s as %s", (code, named) => {
    const { epoch } = setUp("a");
    epoch.accept({ ...mine, step: 4, failure: { code, message: "no", worker: "a", stage: 0 } });
    expect(epoch.signal.reason).toMatchObject({ code: named, message: "Stage 0 on worker a: no" });
  });

  it("breaks when one of its stages has lost the next one, and says which", () => {
    const { epoch, members } = setUp("a", "b");
    const [first] = members;
    if (first === undefined) throw new Error("no member");
    const broken = { ...mine, message: "The connection to the next stage at b:1 failed: reset." };
    epoch.linkBroken(first, { ...broken, epoch: 2 });
    epoch.linkBroken(first, { ...broken, pipeline: "q" });
    epoch.linkBroken(fakeMember({ worker: "a" }).member, broken); // no stage of it
    expect(epoch.signal.aborted).toBe(false);
    epoch.linkBroken(first, broken);
    expect(epoch.signal.reason).toMatchObject({
      code: "WORKER_LOST",
      message: `Stage 0 on worker a: ${broken.message}`,
    });
  });

  it("does not become ready while a stage can't reach the next one", async () => {
    const { epoch, members } = setUp("a");
    const probed = epoch.probe();
    for (const member of members) epoch.linkBroken(member, { ...mine, message: "no" });
    await expect(probed).rejects.toMatchObject({ code: "STAGE_FAILED", message: "Stage 0 on worker a: no" });
  });

  it("sends frames between two workers that do not reach each other over the coordinator", async () => {
    const receiver = await TestReceiver.open();
    const { epoch, members, workers, routes } = setUp("a", "b", "c");
    const [a, b] = members;
    if (a === undefined || b === undefined) throw new Error("no members");
    Object.assign(b, { address: receiver.address });
    routes.closed({ from: a, to: b }, "silent");
    epoch.open("coordinator:7100", ACTIVATION_F32);
    expect(workers.map(({ sent }) => sent[0]?.epoch)).toMatchObject([
      { next: receiver.address, nextWorker: "b", detour: { by: "coordinator:7100", provenMs: 5000 } },
      { upstream: "", nextWorker: "c", detour: null },
      { upstream: "b", detour: null },
    ]);
    expect(epoch.detours).toEqual([0]);
    const stepBody = { hidden: Buffer.of(1, 2) };
    await epoch.relay({ ...mine, step: 7, toStage: 1, stepBody });
    expect(await receiver.received(1)).toMatchObject([{ ...mine, step: 7, stepBody }]);
    expect(relayed).toHaveBeenCalledWith(2);
    expect(epoch.linkProven(b, mine)).toBe(false); // of a way that is a straight one
    expect(epoch.isDetourNeedless).toBe(false);
    expect(epoch.linkProven(a, mine)).toBe(true);
    expect(epoch.isDetourNeedless).toBe(true);
    expect(routes.detourOf({ from: a, to: b })).toBeNull();
    epoch.break(new RhoneError("EPOCH_CHANGED", "over"));
    await receiver.until(() => receiver.ended.length === 1);
    receiver.close();
  });

  it("is tried again at once by another way when two stages do not reach each other", async () => {
    const { epoch, members, routes } = setUp("a", "b");
    const [a, b] = members;
    if (a === undefined || b === undefined) throw new Error("no members");
    const probed = epoch.probe();
    epoch.linkBroken(a, { ...mine, message: "no", barred: true });
    await expect(probed).rejects.toMatchObject({ code: "WORKER_LOST", message: "Stage 0 on worker a: no" });
    expect(routes.detourOf({ from: a, to: b })).toBe(5000);
  });

  it("knows no other way to the coordinator", async () => {
    const { epoch, members } = setUp("a");
    const probed = epoch.probe();
    for (const member of members) epoch.linkBroken(member, { ...mine, message: "no", barred: true });
    await expect(probed).rejects.toMatchObject({ code: "STAGE_FAILED" });
  });

  it("takes frames for a stage of the stage before it only, and results of the last one", () => {
    const { epoch } = setUp("a", "b", "c");
    const from = (name: string) => ({ peer: { cluster: "x", role: "worker", name } }) as const;
    expect(epoch.notItsSender({ toStage: 1 }, from("a"))).toBeNull();
    expect(epoch.notItsSender({ toStage: 0 }, from("c"))).toBeNull();
    expect(epoch.notItsSender({ toStage: 1 }, from("c"))?.message).toBe(
      "Epoch 3 takes frames for stage 1 of worker a only; this sender is worker c.",
    );
    expect(epoch.notItsSender({}, from("a"))?.message).toBe(
      "Epoch 3 takes results of worker c only; this sender is worker a.",
    );
    expect(epoch.notItsSender({ toStage: 9 }, from("a"))).not.toBeNull();
  });

  it("hands on which sequences may draw, and which never will, and why", () => {
    const { epoch, listener } = setUp("a");
    epoch.accept({ ...mine, ready: { sequence: 5 } });
    epoch.accept({ ...mine, epoch: 2, ready: { sequence: 5 } });
    epoch.accept({ ...mine, ready: { sequence: 6, error: { code: "WHATEVER", message: "no" } } });
    const error = expect.objectContaining({ code: "STAGE_FAILED", message: "no" });
    expect(listener.prepared.mock.calls).toEqual([
      [5, null],
      [6, error],
    ]);
  });

  it("breaks by a malformed result, and goes on as a process", () => {
    vi.useFakeTimers({ toFake: ["setImmediate"] });
    const { epoch, listener } = setUp("a");
    listener.result.mockImplementation(() => {
      throw new RhoneError("STAGE_FAILED", "malformed");
    });
    epoch.accept({ ...mine, step: 1, result: {} });
    expect(epoch.signal.reason.code).toBe("STAGE_FAILED");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("breaks by a broken invariant, and crashes the process", () => {
    vi.useFakeTimers({ toFake: ["setImmediate"] });
    const { epoch, listener } = setUp("a");
    listener.result.mockImplementation(() => {
      throw new TypeError("undefined is not a page");
    });
    epoch.accept({ ...mine, step: 1, result: {} });
    expect(epoch.signal.reason.code).toBe("INTERNAL");
    expect(() => vi.runAllTimers()).toThrow("undefined is not a page");
  });
});
