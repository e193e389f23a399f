import type { z } from "zod";
import { isOwnedBy, owned } from "../admission/caller.js";
import type { FileStore } from "../files/file-store.js";
import { RequestError, refuseParam } from "../request-error.js";
import type { Reader } from "../storage/in-turns.js";
import { mapInTurns } from "../turns.js";
import { jsonInTurns } from "../write-in-turns.js";
import { type BatchRecord, isOver, NO_USAGE } from "./batch-record.js";
import type { BatchJobRequest, batchJobListSchema } from "./batch-request.js";
import { type BatchStore, newBatchId } from "./batch-store.js";
import { toMistralJob } from "./batch-views.js";

export type BatchOrder = Pick<
  BatchRecord,
  "format" | "endpoint" | "model" | "inputFileIds" | "completionWindow" | "metadata" | "outputExpiresAfterS"
> & {
  readonly owner: string;
  readonly windowS: number;
  /** The request's field that names the files. */
  readonly fileParam: string;
};

interface Stores {
  readonly files: FileStore;
  readonly batches: BatchStore;
}

/** Creates a batch, which then runs by itself. Throws NOT_FOUND or INVALID_REQUEST for unsuitable files. */
export async function newBatch({ files, batches }: Stores, order: BatchOrder): Promise<BatchRecord> {
  const { windowS, fileParam, ...about } = order;
  for (const id of about.inputFileIds) {
    const { purpose } = owned(about.owner, "file", await files.get(id));
    if (purpose !== "batch")
      refuseParam(fileParam, `: ${id} has the purpose ${purpose}; upload the input with the purpose batch.`);
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

/** Stores requests that came inside a job as its input file. Returns the file's id. */
export async function keepRequests(
  files: FileStore,
  requests: BatchJobRequest["requests"],
  owner: string,
): Promise<string> {
  if (requests === undefined) return refuseParam("input_files", ": name at least one file, or send requests.");
  const lines: string[] = [];
  for (const request of requests) lines.push(`${await jsonInTurns(request)}\n`);
  const unfinished = await files.create();
  await unfinished.write(Buffer.from(lines.join("")));
  const about = { filename: "requests.jsonl", purpose: "batch", kind: "request", expiresAt: null, owner } as const;
  const { id } = await files.commit(unfinished, { createdAt: Math.floor(Date.now() / 1000), ...about });
  return id;
}

interface BatchPage extends Reader {
  /** Starts behind this id; undefined: with the newest. */
  readonly after: string | undefined;
  readonly most: number;
}

/** Records that are read for a page, however short: most may be other owners'. */
const LEAST_READ = 8;

/** A page of the owner's batches, newest first. Reads no more records than it must. Throws as `InTurns`. */
export async function ownBatches(
  store: BatchStore,
  { after, most, ...reader }: BatchPage,
): Promise<readonly BatchRecord[]> {
  const ids = await store.ids();
  const found: BatchRecord[] = [];
  const some = Math.max(most, LEAST_READ);
  for (let at = after === undefined ? 0 : ids.indexOf(after) + 1; at < ids.length && found.length < most; at += some) {
    const records = await store.getAll(ids.slice(at, at + some), reader);
    found.push(...records.filter((batch) => isOwnedBy(reader.owner, batch)));
  }
  return found.slice(0, most);
}

const JOBS_PER_PAGE = 100;

/** A page of the owner's batches as Mistral's jobs, and how many there are in all. Throws as `InTurns`. */
export async function ownJobs(store: BatchStore, query: z.output<typeof batchJobListSchema>, reader: Reader) {
  const { page = 0, page_size = JOBS_PER_PAGE, order_by, model, status, created_after } = query;
  const ids = order_by === "created" ? [...(await store.ids())].reverse() : await store.ids();
  const records = (await store.getAll(ids, reader)).filter((batch) => isOwnedBy(reader.owner, batch));
  const cancelled = await store.cancelledAll(
    records.map(({ id }) => id),
    reader,
  );
  const jobs = await mapInTurns([...records.entries()], ([place, job]) => toMistralJob(job, cancelled[place] ?? null));
  const afterS = (created_after?.getTime() ?? 0) / 1000;
  const found = jobs.filter(
    (job) =>
      (model === undefined || job.model === model) &&
      (status === undefined || status.includes(job.status)) &&
      job.created_at >= afterS,
  );
  return { object: "list", data: found.slice(page * page_size, (page + 1) * page_size), total: found.length };
}

export interface OwnBatch {
  readonly batch: BatchRecord;
  /** In Unix seconds; null: nobody asked for that. */
  readonly cancelledAt: number | null;
}

/** Throws NOT_FOUND, also for another owner's, and as `InTurns`. */
export function ownBatch(store: BatchStore, id: string, reader: Reader): Promise<OwnBatch> {
  return store.inTurn(reader, async () => {
    const batch = owned(reader.owner, "batch", await store.get(id));
    return { batch, cancelledAt: await store.cancelledAt(id) };
  });
}

/** Requests that a batch stop; does nothing to one that is over. Throws as `ownBatch`. */
export function cancelBatch(store: BatchStore, id: string, reader: Reader): Promise<OwnBatch> {
  return store.inTurn(reader, async () => {
    const batch = owned(reader.owner, "batch", await store.get(id));
    return { batch, cancelledAt: await (isOver(batch) ? store.cancelledAt(id) : store.requestCancel(id)) };
  });
}

/** Throws INVALID_REQUEST while a batch that is not over reads the file, RECORD_UNREADABLE when one may. */
export async function refuseUsed(store: BatchStore, fileId: string, reader: Reader): Promise<void> {
  for (const id of await store.openIds()) {
    const [batch] = await store.getAll([id], reader);
    if (batch?.inputFileIds.includes(fileId) !== true) continue;
    throw new RequestError(
      "INVALID_REQUEST",
      `${id} still reads ${fileId}; cancel the batch or wait until it is over.`,
    );
  }
}
