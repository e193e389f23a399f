import { expect, test, vi } from "vitest";
import { PipelineStanding } from "./pipeline-standing.js";

test("why it failed is said until a try succeeds, so that it is never hidden by the next one", () => {
  const standing = new PipelineStanding();
  standing.become("loading", "2 workers are loading their layers");
  expect(standing.reason).toBe("2 workers are loading their layers");
  standing.become("failed", "STAGE_FAILED: cut off");
  standing.become("probing", "the stages are connecting");
  expect([standing.state, standing.reason]).toEqual([
    "probing",
    "the stages are connecting; the last try failed: STAGE_FAILED: cut off",
  ]);
  standing.become("ready", null);
  standing.become("probing", "the stages are connecting");
  expect(standing.reason).toBe("the stages are connecting");
});

test("a failure is forgotten when workers come and go", () => {
  const standing = new PipelineStanding();
  standing.become("failed", "STAGE_FAILED: cut off");
  standing.become("waiting_for_workers", "1 of 2 workers have joined");
  standing.become("loading", "2 workers are loading their layers");
  expect(standing.reason).toBe("2 workers are loading their layers");
});

test("each change is told", () => {
  const standing = new PipelineStanding();
  const changed = vi.fn();
  standing.onChange(changed);
  standing.become("ready", null);
  standing.tell();
  expect(changed).toHaveBeenCalledTimes(2);
});
