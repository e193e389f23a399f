import { owned } from "../admission/owned.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { RequestError } from "../request-error.js";
import { type BatchRecord, NO_USAGE } from "./batch-record.js";
import { newBatchId } from "./batch-store.js";

export type BatchOrder = Pick<
  BatchRecord,
  "format" | "endpoint" | "model" | "inputFileIds" | "completionWindow" | "metadata" | "outputExpiresAfterS"
> & {
  readonly owner: string;
  readonly windowS: number;
  /** The request's field that names the files. */
  readonly fileParam: string;
};

/** Creates a batch; from here on it runs by itself. Throws NOT_FOUND or INVALID_REQUEST for files that can't be its input. */
export async function newBatch({ files, batches }: GatewayDeps, order: BatchOrder): Promise<BatchRecord> {
  const { windowS, fileParam, ...about } = order;
  for (const id of about.inputFileIds) {
    const { purpose } = owned(about.owner, "file", await files.get(id));
    if (purpose === "batch") continue;
    throw new RequestError("INVALID_REQUEST", `${fileParam}: ${id} is for ${purpose}, not batch.`, {
      param: fileParam,
    });
  }
  const createdAt = Math.floor(Date.now() / 1000);
  const record: BatchRecord = {
    id: newBatchId(),
    ...about,
    status: "validating",
    ending: null,
    problems: [],
    counts: { total: 0, completed: 0, failed: 0 },
    usage: NO_USAGE,
    outputFileId: null,
    errorFileId: null,
    createdAt,
    expiresAt: createdAt + windowS,
    reachedAt: {},
  };
  await batches.create(record);
  return record;
}
