import type { ClusterStatus } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { serve } from "../../../packages/client/src/testing/serve.js";
import { PLAINTEXT as security } from "../testing/plaintext.js";
import { clusterStatus, workerStatus } from "../testing/sample-status.js";
import type { ProgressEvent } from "./progress.js";
import { readStatus, StallWatch, watchPipeline } from "./watch-pipeline.js";

const { signal } = new AbortController();
const workers = [workerStatus("a", [0, 4]), workerStatus("b", [4, 8])];
const status = (state: ClusterStatus["state"], reason: string | null = null): ClusterStatus => ({
  ...clusterStatus(workers),
  state,
  reason,
});

/** Watches a coordinator that gives these answers, the last one for ever. */
const watch = (...answers: readonly (ClusterStatus | "busy")[]) => watchAs({ admits: false }, answers);

async function watchAs({ admits }: { readonly admits: boolean }, answers: readonly (ClusterStatus | "busy")[]) {
  const left = [...answers];
  const { url } = await serve((_, response) => {
    const answer = left.length > 1 ? left.shift() : left[0];
    response.end(answer === "busy" ? "busy" : JSON.stringify(answer));
  });
  const events: ProgressEvent[] = [];
  const operations = new URL(url).host;
  await watchPipeline({ operations, security, workers: 2, admits, report: (event) => events.push(event), signal });
  return events.map((event) =>
    event.kind === "phase" ? `${event.phase}: ${event.text}${event.done ? " ✓" : ""}` : event,
  );
}

describe("watchPipeline", () => {
  it("reports each phase, and its result once it is over", async () => {
    expect(await watch(status("waiting_for_workers"), status("loading"), status("probing"), status("ready"))).toEqual([
      "workers: 2 of 2 joined",
      "workers: 2 of 2 joined ✓",
      "weights: 600 MB of 600 MB · 600 MB of 600 MB",
      "weights: 1.2 GB on 2 workers, layers 0-3, 4-7 ✓",
      "probe: running a first step through all stages",
      "probe: every stage answered ✓",
    ]);
  });

  it("finishes phases that went by unseen", async () => {
    const events = await watch(status("ready"));
    expect(events.map((event) => String(event).split(":")[0])).toEqual(["workers", "weights", "probe"]);
  });

  it("waits for further machines, where they may join, while the model does not fit", async () => {
    const failed = status("failed", "NOT_ENOUGH_MEMORY: 9 GB are needed.");
    const events = await watchAs({ admits: true }, [failed, failed, failed, failed, status("ready")]);
    expect(events.slice(0, 4)).toEqual(
      new Array(4).fill("workers: 2 joined; waiting for further machines: NOT_ENOUGH_MEMORY: 9 GB are needed."),
    );
  });

  it("waits while the coordinator does not answer", async () => {
    expect(await watch("busy", status("ready"))).toHaveLength(3);
  });
});

describe("StallWatch", () => {
  const failed = status("failed", "NOT_ENOUGH_MEMORY: 9 GB are needed.");

  it("gives a pipeline up that stays failed for more than 3 s", () => {
    const stall = new StallWatch(0);
    stall.check(failed, 0);
    stall.check(failed, 3000);
    expect(() => stall.check(failed, 3001)).toThrow("9 GB are needed.");
  });

  it("lets a pipeline fail and recover, but not for a third time", () => {
    const stall = new StallWatch(0);
    stall.check(failed, 0);
    stall.check(status("loading"), 100);
    stall.check(failed, 200);
    stall.check(status("loading"), 300);
    expect(() => stall.check(failed, 400)).toThrow("9 GB are needed.");
  });

  it("gives a pipeline up that makes no progress for 180 s", () => {
    const stall = new StallWatch(0);
    stall.check(status("loading"), 1000);
    stall.check(status("loading"), 181_000);
    expect(() => stall.check(status("loading"), 181_001)).toThrow(/no progress for 180 s: loading/);
  });

  it("takes loaded bytes and new workers for progress", () => {
    const stall = new StallWatch(0);
    const loading = (loadedBytes: number) => ({
      ...status("loading"),
      workers: [workerStatus("a", [0, 8], { loadedBytes })],
    });
    for (let turn = 0; turn < 10; turn++) stall.check(loading(turn), turn * 170_000);
    expect(() => stall.check(loading(9), 9 * 170_000 + 180_001)).toThrow(/no progress/);
  });
});

describe("readStatus", () => {
  it.each(["127.0.0.1:1", "nowhere.invalid:80"])("is null while nothing answers at %s", async (operations) => {
    expect(await readStatus(operations, { security, signal })).toBeNull();
  });

  it("refuses a coordinator of another version", async () => {
    const { url } = await serve((_, response) => response.end(JSON.stringify({ ...status("ready"), version: 2 })));
    await expect(readStatus(new URL(url).host, { security, signal })).rejects.toMatchObject({
      code: "RECORD_UNREADABLE",
    });
  });
});
