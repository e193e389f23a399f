import { createLogger, NO_TRACING, RhoneError } from "@rhone/common";
import type { Redis } from "ioredis";
import { describe, expect, it, vi } from "vitest";
import { fakeJob } from "../testing/fake-job.js";
import { MemoryLog } from "../testing/memory-log.js";
import { NOTHING_RECORDED } from "../token-log/recorded.js";
import { JobPace } from "./job-pace.js";
import type { JobContext } from "./run-job.js";
import { runJob } from "./run-job.js";

const logger = createLogger({ service: "test", level: "silent" });

/** `recorded`: what the token log holds of each request. */
function setUp({ recorded = NOTHING_RECORDED, cancelled = false, isRunning = false } = {}) {
  const log = new MemoryLog();
  const left: string[][] = [];
  const onArrival = vi.fn();
  const engine = { run: vi.fn().mockResolvedValue(undefined), cancel: vi.fn(), isRunning: vi.fn(() => isRunning) };
  const forget = vi.fn();
  const context = {
    engine: engine as unknown as JobContext["engine"],
    tokenLog: Object.assign(log, { read: async () => recorded, forget }) as unknown as JobContext["tokenLog"],
    pace: new JobPace(),
    cancellations: { has: async () => cancelled } as unknown as JobContext["cancellations"],
    redis: { zrem: async (key: string, id: string) => void left.push([key, id]) } as unknown as Redis,
    model: "fake",
    tracing: NO_TRACING,
    onArrival,
    logger,
  };
  return { context, engine, log, left, onArrival, forget };
}

const job = fakeJob({ requestId: "r", promptIds: [1, 2] });

describe("runJob", () => {
  it("gives back the job's place in the queue", async () => {
    const { context, left } = setUp();
    await runJob({ ...job, keyId: "team" }, context);
    expect(left.map(([places]) => places)).toEqual([
      "{rhone}:places:interactive/fake",
      "{rhone}:places:interactive/fake:team",
    ]);
  });

  it("runs a new job from the beginning", async () => {
    const { context, engine } = setUp();
    await runJob(job, context);
    expect(engine.run).toHaveBeenCalledWith(job, NOTHING_RECORDED, null);
    expect(engine.cancel).not.toHaveBeenCalled();
  });

  it("continues behind the tokens that another coordinator recorded", async () => {
    const recorded = { ...NOTHING_RECORDED, tokens: [7, 8], scored: 1, ordinal: 2 };
    const { context, engine } = setUp({ recorded });
    await runJob(job, context);
    expect(engine.run).toHaveBeenCalledWith(job, recorded, null);
  });

  it("does nothing for a job whose last event is written", async () => {
    const { context, engine } = setUp({ recorded: { ...NOTHING_RECORDED, ordinal: 1, finished: true } });
    await runJob(job, context);
    expect(engine.run).not.toHaveBeenCalled();
  });

  it.each([
    [false, "begins again with", 1],
    [true, "goes on with, where it runs,", 0],
  ])("(%s) %s a job whose log Redis has lost the beginning of", async (isRunning, _, forgotten) => {
    const recorded = { ...NOTHING_RECORDED, tokens: [8], ordinal: 2, isWhole: false };
    const { context, engine, forget } = setUp({ recorded, isRunning });
    await runJob(job, context);
    expect(forget).toHaveBeenCalledTimes(forgotten);
    expect(engine.run).toHaveBeenCalledWith(job, isRunning ? recorded : NOTHING_RECORDED, null);
  });

  it("cancels a job that was cancelled in the queue, after it is known to the engine", async () => {
    const { context, engine } = setUp({ cancelled: true });
    await runJob(job, context);
    expect(engine.cancel).toHaveBeenCalledWith("r");
    expect(engine.run.mock.invocationCallOrder[0]).toBeLessThan(engine.cancel.mock.invocationCallOrder[0] ?? 0);
  });

  it("says when the engine knows it", async () => {
    const { context, engine, onArrival } = setUp();
    engine.run.mockImplementation(() => expect(onArrival).not.toHaveBeenCalled());
    await runJob(job, context);
    expect(onArrival).toHaveBeenCalledOnce();
  });

  it("rejects as the engine does", async () => {
    const { context, engine } = setUp();
    engine.run.mockRejectedValue(new RhoneError("SHUTTING_DOWN", "closing"));
    await expect(runJob(job, context)).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  });

  it("answers a malformed job that says whom to answer, behind its recorded events", async () => {
    const { context, engine, log } = setUp({ recorded: { ...NOTHING_RECORDED, ordinal: 3 } });
    await runJob({ ...job, promptIds: "no" }, context);
    expect(engine.run).not.toHaveBeenCalled();
    expect(log.of("r")).toMatchObject([
      { ordinal: 3, tokens: [], finish: { reason: "error", code: "INVALID_REQUEST" } },
    ]);
  });

  it.each([[null], [{}], [{ requestId: "", replyTo: "g" }]])(
    "rejects %j, which nobody can be told of",
    async (data) => {
      const { context } = setUp();
      await expect(runJob(data, context)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    },
  );
});
