import { expect, test } from "vitest";
import { describeCounts, formatBatch, formatBatches } from "./batch-views.js";

const BATCH = {
  ...{ id: "batch_1", endpoint: "/v1/completions", status: "completed", errors: null, created_at: 1_764_174_600 },
  ...{ output_file_id: "out_1", error_file_id: "err_1" },
  request_counts: { total: 9, completed: 5, failed: 2 },
};

test("a batch is shown with its files and problems", () => {
  const errors = { data: [{ code: "expired", message: "The time was up." }] };
  expect(formatBatch({ ...BATCH, errors })).toBe(
    "batch_1  completed  7 of 9, 2 failed  /v1/completions\noutput  out_1\nerrors  err_1\nexpired: The time was up.",
  );
});

test("failures are named where there are any", () => {
  expect(describeCounts(BATCH)).toBe("7 of 9, 2 failed");
  expect(describeCounts({ ...BATCH, request_counts: { total: 3, completed: 3, failed: 0 } })).toBe("3 of 3");
});

test("batches are a table, one row each", () => {
  expect(formatBatches([BATCH, { ...BATCH, id: "batch_22", status: "in_progress" }]).split("\n")).toEqual([
    "BATCH     STATUS       DONE              ENDPOINT         CREATED (UTC)",
    "batch_1   completed    7 of 9, 2 failed  /v1/completions  2025-11-26 16:30",
    "batch_22  in_progress  7 of 9, 2 failed  /v1/completions  2025-11-26 16:30",
  ]);
});
