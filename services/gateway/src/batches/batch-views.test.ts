import { RhoneError } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { RequestError } from "../request-error.js";
import { testBatch } from "../testing/test-batch.js";
import { BATCH_ENDPOINT_PATHS, type BatchStatus } from "./batch-record.js";
import { batchJobListSchema, batchJobRequestSchema, batchRequestSchema, expiresAfterSchema } from "./batch-request.js";
import { NO_MARKS } from "./batch-store.js";
import { toMistralJob, toOpenAiBatch } from "./batch-views.js";
import { answeredLine, refusedLine, unrunEntry } from "./line-entry.js";

const ended = { outputFileId: "file-out", errorFileId: "file-err" };

describe("the status of a batch", () => {
  it.each<[BatchStatus, number | null, string, string]>([
    ["validating", null, "validating", "QUEUED"],
    ["in_progress", null, "in_progress", "RUNNING"],
    ["in_progress", 7, "cancelling", "CANCELLATION_REQUESTED"],
    ["finalizing", null, "finalizing", "RUNNING"],
    ["finalizing", 7, "cancelling", "CANCELLATION_REQUESTED"],
    ["completed", null, "completed", "SUCCESS"],
    ["completed", 7, "completed", "SUCCESS"],
    ["failed", null, "failed", "FAILED"],
    ["expired", null, "expired", "TIMEOUT_EXCEEDED"],
    ["cancelled", 7, "cancelled", "CANCELLED"],
  ])("%s, cancelled at %s, is %s at OpenAI and %s at Mistral", (status, cancelledAt, openAi, mistral) => {
    const batch = testBatch({ status });
    expect(toOpenAiBatch(batch, { cancelledAt, pausedAt: null })).toMatchObject({
      status: openAi,
      cancelling_at: cancelledAt,
    });
    expect(toMistralJob(batch, cancelledAt).status).toBe(mistral);
  });
});

describe("the files of a batch", () => {
  it.each<[BatchStatus, string | null]>([
    ["finalizing", null],
    ["completed", "file-out"],
    ["expired", "file-out"],
  ])("are shown once it is over: %s", (status, id) => {
    const batch = testBatch({ status, ...ended });
    expect(toOpenAiBatch(batch, NO_MARKS).output_file_id).toBe(id);
    expect(toMistralJob(batch, null).output_file).toBe(id);
  });
});

describe("the numbers of a batch", () => {
  const batch = testBatch({
    status: "completed",
    counts: { total: 5, completed: 3, failed: 2 },
    usage: { promptTokens: 10, cachedTokens: 4, completionTokens: 6 },
    reachedAt: { in_progress: 100, completed: 200 },
  });

  it("are as OpenAI reports them", () => {
    expect(toOpenAiBatch(batch, NO_MARKS)).toMatchObject({
      request_counts: { total: 5, completed: 3, failed: 2 },
      usage: { input_tokens: 10, input_tokens_details: { cached_tokens: 4 }, output_tokens: 6, total_tokens: 16 },
      in_progress_at: 100,
      completed_at: 200,
      failed_at: null,
    });
  });

  it("are as Mistral reports them, where completed means done", () => {
    expect(toMistralJob(batch, null)).toMatchObject({
      total_requests: 5,
      completed_requests: 5,
      succeeded_requests: 3,
      failed_requests: 2,
      started_at: 100,
      completed_at: 200,
    });
  });
});

describe("the problems of a batch", () => {
  const problem = (message: string, line: number) => ({ code: "invalid_url", message, param: "url", line });
  const problems = [problem("a", 1), problem("b", 2), problem("a", 3)];

  it("are listed at OpenAI, and counted by message at Mistral", () => {
    const batch = testBatch({ problems });
    expect(toOpenAiBatch(batch, NO_MARKS).errors).toEqual({ object: "list", data: problems });
    expect(toMistralJob(batch, null).errors).toEqual([
      { message: "a", count: 2 },
      { message: "b", count: 1 },
    ]);
    expect(toOpenAiBatch(testBatch(), NO_MARKS).errors).toBeNull();
  });
});

describe("the entry of a line", () => {
  const place = { batchId: "batch_abc", line: 7, customId: "mine" };
  const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 2 };

  it("that was answered has the answer", () => {
    expect(answeredLine(place, { body: { id: 1 }, usage })).toEqual({
      line: 7,
      ok: true,
      usage,
      entry: {
        id: "batch_req_abc-7",
        custom_id: "mine",
        response: { status_code: 200, request_id: "req_abc-7", body: { id: 1 } },
        error: null,
      },
    });
  });

  it("that was refused has the body and the status of a failed request", () => {
    const error = new RequestError("INVALID_REQUEST", "top_p: no", { param: "top_p" });
    const { ok, entry } = refusedLine(place, error);
    expect(ok).toBe(false);
    expect(entry).toMatchObject({
      response: { status_code: 400, body: { object: "error", param: "top_p" } },
      error: null,
    });
    expect(refusedLine(place, new RhoneError("KV_FULL", "full"))).toMatchObject({
      entry: { response: { status_code: 503 } },
    });
  });

  it.each([
    ["expired", "batch_expired"],
    ["cancelled", "batch_cancelled"],
  ] as const)("that did not run because the batch %s says so", (ending, code) => {
    expect(unrunEntry(place, ending)).toMatchObject({ custom_id: "mine", response: null, error: { code } });
  });
});

describe("lists of jobs", () => {
  const after = (created_after: string) => batchJobListSchema.parse({ created_after }).created_after?.toISOString();

  it.each([
    ["2026-11-26", "2026-11-26T00:00:00.000Z"],
    ["2026-11-26T10:20", "2026-11-26T10:20:00.000Z"],
    ["2026-11-26 10:20:30.5", "2026-11-26T10:20:30.500Z"],
    ["2026-11-26T10:20:30Z", "2026-11-26T10:20:30.000Z"],
    ["2026-11-26T10:20:30.123456+02:00", "2026-11-26T08:20:30.123Z"],
    ["2026-11-26T10:20:30 02:00", "2026-11-26T08:20:30.000Z"],
    ["2026-11-26T10:20:30-0130", "2026-11-26T11:50:30.000Z"],
    ["1795688400", "2026-11-26T10:20:00.000Z"],
    ["1795688400.25", "2026-11-26T10:20:00.250Z"],
  ])("begin after %s: %s", (text, date) => expect(after(text)).toBe(date));

  it.each([
    "",
    "yesterday",
    "1",
    "2026",
    "2026-02-30",
    "2026-13-01",
    "2026-11-26T25:00",
    "1795688400000",
    "11/26/2026",
  ])("do not begin after %j", (created_after) => {
    const { error } = batchJobListSchema.safeParse({ created_after });
    expect(error?.issues[0]?.message).toMatch(/^must be a date of ISO 8601/);
  });

  it("have a status that jobs can have", () => {
    expect(batchJobListSchema.parse({ status: "RUNNING" }).status).toEqual(["RUNNING"]);
    const several = ["SUCCESS", "CANCELLATION_REQUESTED"];
    expect(batchJobListSchema.parse({ status: several }).status).toEqual(several);
    expect(batchJobListSchema.safeParse({ status: "DONE" }).success).toBe(false);
  });
});

describe("orders", () => {
  const order = { input_file_id: "file-1", endpoint: "/v1/completions", completion_window: "24h" };

  it("keep their window as it was sent, and its seconds", () => {
    const { completion_window } = batchRequestSchema.parse({ ...order, completion_window: "90m" });
    expect(completion_window).toEqual({ text: "90m", seconds: 5400 });
  });

  it("of a window that is none are refused with the windows that there are, and what they do", () => {
    const { error } = batchRequestSchema.safeParse({ ...order, completion_window: "5" });
    expect(error?.issues.map(({ message }) => message)).toEqual([
      "must be minutes or hours, from 1m to 168h, such as 90m or 24h, after which the batch ends and its unanswered " +
        "requests expire",
    ]);
  });

  it.each<object>([
    { completion_window: "169h" },
    { completion_window: "0h" },
    { completion_window: "1d" },
    { endpoint: "/v1/fim/completions" },
    { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, ""])) },
    { metadata: { k: "x".repeat(513) } },
    { output_expires_after: { anchor: "created_at", seconds: 3599 } },
    { output_expires_after: { anchor: "finished_at", seconds: 3600 } },
  ])("with %j are refused", (changes) => {
    expect(batchRequestSchema.safeParse({ ...order, ...changes }).success).toBe(false);
  });

  it.each(BATCH_ENDPOINT_PATHS)("for %s are taken", async (endpoint) => {
    expect((await batchJobRequestSchema.safeParseAsync({ endpoint, requests: [{ body: {} }] })).success).toBe(true);
  });

  it.each<[string, object]>([
    ["no requests", { requests: [] }],
    ["no files", { input_files: [] }],
    ["a week and an hour", { input_files: ["file-1"], timeout_hours: 169 }],
  ])("of Mistral's with %s are refused", async (_, changes) => {
    expect((await batchJobRequestSchema.safeParseAsync({ endpoint: "/v1/completions", ...changes })).success).toBe(
      false,
    );
  });

  it("read numbers of forms", () => {
    expect(expiresAfterSchema.parse({ anchor: "created_at", seconds: "3600" }).seconds).toBe(3600);
  });
});
