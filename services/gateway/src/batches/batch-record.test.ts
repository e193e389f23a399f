import { expect, test } from "vitest";
import { testBatch } from "../testing/test-batch.js";
import { advance, type BatchStatus, isOver } from "./batch-record.js";

const STATUSES: readonly BatchStatus[] = [
  "validating",
  "in_progress",
  "finalizing",
  "completed",
  "expired",
  "cancelled",
  "failed",
];
const ALLOWED = [
  "validating in_progress",
  "validating failed",
  "in_progress finalizing",
  "in_progress failed",
  "finalizing completed",
  "finalizing expired",
  "finalizing cancelled",
  "finalizing failed",
];

test("batches go from state to state as they may, and no other way", () => {
  for (const from of STATUSES) {
    for (const to of STATUSES) {
      const step = () => advance({ ...testBatch(), status: from }, { status: to, nowMs: 5500 });
      if (ALLOWED.includes(`${from} ${to}`)) expect(step()).toMatchObject({ status: to, reachedAt: { [to]: 5 } });
      else expect(step).toThrow(`${from} can't become ${to}`);
    }
  }
});

test("what has no next state is over", () => {
  const over = STATUSES.filter((status) => isOver({ ...testBatch(), status }));
  expect(over).toEqual(["completed", "expired", "cancelled", "failed"]);
});
