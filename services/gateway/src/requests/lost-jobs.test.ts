import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { JobsState } from "../queue/generation-client.js";
import { testJob } from "../testing/events.js";
import { LOST_AFTER_MS, LostJobs } from "./lost-jobs.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A request of two jobs that is followed, and what Redis says of them, to be changed. */
function followed() {
  const seen = { state: "absent" as JobsState | Error, looks: 0 };
  const stateOf = async () => {
    seen.looks++;
    if (seen.state instanceof Error) throw seen.state;
    return seen.state;
  };
  const jobs = new LostJobs({ stateOf }, [testJob(), testJob({ requestId: "r-1" })]);
  jobs.began();
  return { jobs, seen };
}

it.each<JobsState>(["absent", "cut"])("jobs that are %s for long are lost, by name, and not sooner", async (state) => {
  const { jobs, seen } = followed();
  seen.state = state;
  await vi.advanceTimersByTimeAsync(LOST_AFTER_MS);
  expect(jobs.lost.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(5000);
  expect(jobs.lost.reason).toMatchObject({
    code: "GENERATION_LOST",
    message: "None of its 2 jobs was queued or ran for 45 s; send the request again.",
  });
  expect(vi.getTimerCount()).toBe(0);
});

it.each<[string, JobsState | Error]>([
  ["that wait or run", "open"],
  ["of which a Redis that is away says nothing", new Error("connection refused")],
])("jobs %s are not lost, and were missed from the next look on", async (_, state) => {
  const { jobs, seen } = followed();
  await vi.advanceTimersByTimeAsync(LOST_AFTER_MS - 5000);
  seen.state = state;
  await vi.advanceTimersByTimeAsync(600_000);
  seen.state = "absent";
  await vi.advanceTimersByTimeAsync(LOST_AFTER_MS);
  expect(jobs.lost.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(5000);
  expect(jobs.lost.aborted).toBe(true);
});

it("nobody looks while events come, after the logs have ended, or after the run", async () => {
  const { jobs, seen } = followed();
  for (let look = 0; look < 20; look++) {
    jobs.took();
    await vi.advanceTimersByTimeAsync(5000);
  }
  expect(seen.looks).toBe(0);
  seen.state = "ended";
  await vi.advanceTimersByTimeAsync(600_000);
  expect([seen.looks, vi.getTimerCount()]).toEqual([1, 0]);
  const other = followed();
  other.jobs.ended();
  await vi.advanceTimersByTimeAsync(600_000);
  expect([other.seen.looks, other.jobs.lost.aborted]).toEqual([0, false]);
});
