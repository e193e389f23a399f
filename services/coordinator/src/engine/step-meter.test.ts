import { describe, expect, it } from "vitest";
import { createMetrics } from "../metrics.js";
import { fakeBatch, fakeSpan } from "../testing/fake-span.js";
import { fakeSequence } from "../testing/scheduling.js";
import { StepMeter } from "./step-meter.js";

const batch = fakeBatch([fakeSpan(fakeSequence({ promptLength: 8 }))]);

function setUp(stages: number) {
  const metrics = createMetrics();
  const meter = new StepMeter(metrics);
  meter.attach(stages);
  const value = async (name: string, labels: Record<string, string> = {}): Promise<number | undefined> => {
    const all = (await metrics.registry.getSingleMetric(name)?.get())?.values ?? [];
    const matches = (of: object) =>
      Object.entries(labels).every(([key, wanted]) => String(Reflect.get(of, key)) === wanted);
    return all.find(({ labels: its }) => matches(its))?.value;
  };
  return { meter, value };
}

/** Sent at 0 ms; the result came at 40 ms and was recorded at 41. */
const step = { batch, sentAt: 0, returnedAt: 40, recordedAt: 41 };

describe("StepMeter", () => {
  it("counts steps and adds up the stages' times", async () => {
    const { meter, value } = setUp(2);
    meter.recorded({
      ...step,
      timings: [
        { stage: 0, computeUs: 10_000, idleUs: 30_000, queuedUs: 2_000 },
        { stage: 1, computeUs: 20_000, idleUs: 0, overheadUs: 2_000 },
      ],
    });
    expect(await value("rhone_steps_total")).toBe(1);
    expect(await value("rhone_stage_busy_seconds_total", { stage: "1" })).toBeCloseTo(0.02);
    expect(await value("rhone_stage_idle_seconds_total", { stage: "0" })).toBeCloseTo(0.03);
    expect(await value("rhone_stage_overhead_seconds_total", { stage: "1" })).toBeCloseTo(0.002);
    // 30 of 62 ms.
    expect(await value("rhone_bubble_ratio")).toBeCloseTo(30 / 62);
    // 40 - 34 ms in 3 hops.
    expect(meter.hopMs).toBeCloseTo(2);
    expect(await value("rhone_hop_seconds", { le: "0.005" })).toBe(1);
    expect(await value("rhone_hop_seconds", { le: "0.001" })).toBe(0);
  });

  it("takes time in a stage's queue, behind the step that was sent before, for no hop", async () => {
    const { meter, value } = setUp(1);
    meter.recorded({ ...step, timings: [{ computeUs: 18_000, queuedUs: 21_000 }] });
    // 40 - 39 ms in 2 hops.
    expect(await value("rhone_hop_seconds", { le: "0.001" })).toBe(1);
  });

  it("starts the bubble ratio again with each pipeline", async () => {
    const { meter, value } = setUp(1);
    meter.recorded({ ...step, timings: [{ computeUs: 0, idleUs: 10_000 }] });
    expect(await value("rhone_bubble_ratio")).toBe(1);
    meter.attach(1);
    meter.recorded({ ...step, timings: [{ computeUs: 10_000, idleUs: 10_000 }] });
    expect(await value("rhone_bubble_ratio")).toBe(0.5);
  });

  it("counts a step of closes alone, and one without timings, but no hop for them", async () => {
    const { meter, value } = setUp(1);
    meter.recorded({ ...step, batch: fakeBatch([]), timings: [{ computeUs: 1 }] });
    meter.recorded({ ...step, timings: [] });
    expect(await value("rhone_steps_total")).toBe(2);
    expect(await value("rhone_hop_seconds", { le: "+Inf" })).toBe(0);
  });

  it("observes the rows and the time of each decision", async () => {
    const { meter, value } = setUp(1);
    meter.decided(batch, 0.4);
    expect(await value("rhone_micro_batch_rows", { le: "8" })).toBe(1);
    expect(await value("rhone_micro_batch_rows", { le: "4" })).toBe(0);
    expect(await value("rhone_step_seconds", { phase: "decide", le: "0.0005" })).toBe(1);
  });
});
