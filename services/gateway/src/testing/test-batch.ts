import { type BatchRecord, NO_USAGE } from "../batches/batch-record.js";
import { newBatchId } from "../batches/batch-store.js";

/** A batch of completions that was just created and expires in an hour. */
export function testBatch(changes: Partial<BatchRecord> = {}): BatchRecord {
  const createdAt = Math.floor(Date.now() / 1000);
  return {
    id: newBatchId(),
    format: "openai",
    endpoint: "/v1/completions",
    model: null,
    inputFileIds: [],
    completionWindow: "1h",
    metadata: null,
    outputExpiresAfterS: null,
    status: "validating",
    ending: null,
    problems: [],
    counts: { total: 0, completed: 0, failed: 0 },
    usage: NO_USAGE,
    outputFileId: null,
    errorFileId: null,
    createdAt,
    expiresAt: createdAt + 3600,
    reachedAt: {},
    ...changes,
  };
}
