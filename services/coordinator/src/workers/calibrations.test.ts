import { createLogger, type WorkerMessage } from "@rhone/common";
import { CALIBRATED_ROWS, type StagePlan } from "@rhone/planner";
import { describe, expect, it, vi } from "vitest";
import { fakeMember } from "../testing/fake-member.js";
import { Calibrations } from "./calibrations.js";

const logger = createLogger({ service: "test", level: "silent" });
const shardWith = (heads: boolean): StagePlan => ({
  worker: "",
  stage: 0,
  first: 0,
  last: 4,
  embeds: true,
  heads,
  weightBytes: 0,
  memoryTotal: 0,
});

/** Members on the given machines, which answer each calibration with their own milliseconds per layer. */
function setUp(...workers: readonly { readonly hostname: string; readonly ms?: number; readonly heads?: boolean }[]) {
  const calibrations = new Calibrations(logger);
  const asked: string[] = [];
  const members = workers.map(({ hostname, ms, heads = false }, index) => {
    const { member } = fakeMember({ worker: `w${index}`, hostname, device: `device ${index}` });
    member.shard = shardWith(heads);
    vi.spyOn(member, "send").mockImplementation(({ calibrate }) => {
      asked.push(`w${index}: ${calibrate?.rows?.join(" ")}`);
      if (ms === undefined) return;
      const stepTimes = (calibrate?.rows ?? []).map((rows) => ({ rows, layerMs: ms, headMs: heads ? 1 : 0 }));
      const message: WorkerMessage = { calibrated: { calibration: calibrate?.calibration ?? 0, stepTimes } };
      calibrations.receive(member, message);
    });
    return member;
  });
  const complete = (signal = new AbortController().signal) => calibrations.complete(members, signal);
  return { calibrations, members, asked, complete };
}

const ALL = CALIBRATED_ROWS.join(" ");

describe("Calibrations", () => {
  it("times all workers at once, then those of one machine one by one", async () => {
    const { asked, members, complete } = setUp(
      { hostname: "a", ms: 2 },
      { hostname: "a", ms: 3 },
      { hostname: "b", ms: 4 },
    );
    await complete();
    // The only worker of machine b was alone already.
    expect(asked).toEqual([`w0: ${ALL}`, `w1: ${ALL}`, `w2: ${ALL}`, "w0: 1", "w1: 1"]);
    expect(members.map(({ calibration }) => calibration?.alone)).toEqual([
      [{ rows: 1, layerMs: 2, headMs: 0 }],
      [{ rows: 1, layerMs: 3, headMs: 0 }],
      [{ rows: 1, layerMs: 4, headMs: 0 }],
    ]);
  });

  it("times a worker once, and again when it holds the head for the first time", async () => {
    const { asked, members, complete } = setUp({ hostname: "a", ms: 2 });
    await complete();
    await complete();
    expect(asked).toHaveLength(1);
    for (const member of members) member.shard = shardWith(true);
    await complete();
    await complete();
    expect(asked).toHaveLength(2);
    expect(members[0]?.calibration?.head).toBe(true);
  });

  it("takes the better time of workers of one kind on one machine, and the lesser wait for cores", async () => {
    const calibrations = new Calibrations(logger);
    const members = [2, 5].map((ms, index) => {
      const { member } = fakeMember({ worker: `w${index}`, hostname: "a", device: "CPU", threads: 2 });
      vi.spyOn(member, "send").mockImplementation(({ calibrate }) => {
        const stepTimes = (calibrate?.rows ?? []).map((rows) => ({ rows, layerMs: ms, headMs: 0 }));
        calibrations.receive(member, {
          calibrated: { calibration: calibrate?.calibration ?? 0, stepTimes, waited: ms / 10 },
        });
      });
      return member;
    });
    await calibrations.complete(members, new AbortController().signal);
    expect(members.map(({ calibration }) => calibration?.waited)).toEqual([0.2, 0.2]);
    expect(members.map(({ calibration }) => calibration?.curve[0]?.layerMs)).toEqual([2, 2]);
  });

  it("does not time a worker that takes the place of one of its kind; one more of them is timed", async () => {
    const calibrations = new Calibrations(logger);
    const asked: string[] = [];
    const join = (worker: string) => {
      const { member } = fakeMember({ worker, hostname: "a", device: "CPU", threads: 1 });
      vi.spyOn(member, "send").mockImplementation(({ calibrate }) => {
        if (calibrate?.rows?.length !== 1) asked.push(worker);
        const stepTimes = (calibrate?.rows ?? []).map((rows) => ({ rows, layerMs: 2, headMs: 0 }));
        calibrations.receive(member, { calibrated: { calibration: calibrate?.calibration ?? 0, stepTimes } });
      });
      return member;
    };
    const { signal } = new AbortController();
    const [first, second, replacing, third] = ["w0", "w1", "w2", "w3"].map(join);
    const of = (...members: readonly (typeof first)[]) => members.flatMap((member) => member ?? []);
    await calibrations.complete(of(first, second), signal);
    await calibrations.complete(of(first, replacing), signal);
    expect(replacing?.calibration).toEqual(first?.calibration);
    expect(asked).toEqual(["w0", "w1"]);
    await calibrations.complete(of(first, replacing, third), signal);
    expect(asked).toEqual(["w0", "w1", "w3"]);
  });

  it("leaves a worker without times when it does not answer within 15 s", async () => {
    const timeout = new AbortController();
    const within = vi.spyOn(AbortSignal, "timeout").mockReturnValue(timeout.signal);
    const { members, complete } = setUp({ hostname: "a" });
    const completed = complete();
    expect(within).toHaveBeenCalledWith(15_000);
    timeout.abort(new Error("timed out"));
    await completed;
    within.mockRestore();
    expect(members[0]?.calibration).toBeNull();
  });

  it("rejects with the epoch's reason when that breaks", async () => {
    const epoch = new AbortController();
    const { complete } = setUp({ hostname: "a" });
    const completed = complete(epoch.signal);
    epoch.abort(new Error("a worker was lost"));
    await expect(completed).rejects.toThrow("a worker was lost");
  });

  it("ignores times that nobody waits for", () => {
    const { calibrations, members } = setUp({ hostname: "a", ms: 1 });
    const { member } = fakeMember({ worker: "w" });
    calibrations.receive(member, { calibrated: { calibration: 7, stepTimes: [] } });
    calibrations.receive(member, { progress: {} });
    expect(members[0]?.calibration).toBeNull();
  });
});
