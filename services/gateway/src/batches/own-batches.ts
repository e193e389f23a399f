import { RhoneError } from "@rhone/common";
import type { z } from "zod";
import { owned } from "../admission/caller.js";
import type { FileQuota } from "../files/file-quota.js";
import type { FileStore } from "../files/file-store.js";
import { RequestError, refuseParam } from "../request-error.js";
import type { Reader } from "../storage/in-turns.js";
import { madeAtMs } from "../storage/object-storage.js";
import { mapInTurns } from "../turns.js";
import { jsonInTurns } from "../write-in-turns.js";
import { type BatchRecord, isOver, NO_USAGE } from "./batch-record.js";
import type { BatchJobRequest, batchJobListSchema } from "./batch-request.js";
import { type BatchStore, newBatchId } from "./batch-store.js";
import { toMistralJob } from "./batch-views.js";

export type BatchOrder = Pick<
  BatchRecord,
  "format" | "endpoint" | "model" | "inputFileIds" | "completionWindow" | "metadata" | "outputExpiresAfterS" | "trace"
> & {
  readonly owner: string;
  readonly windowS: number;
  /** The request's field that names the files. */
  readonly fileParam: string;
};

/** What making a batch takes. */
export interface BatchesUse {
  readonly files: FileStore;
  readonly quota: FileQuota;
  readonly batches: BatchStore;
  /** Most batches of an owner that are not over. */
  readonly batchesPerKey: number;
}

/**
 * Creates a batch, which then runs by itself. Throws NOT_FOUND or INVALID_REQUEST for unsuitable files,
 * FILE_LIMIT_EXCEEDED for an owner without room for the results, BATCH_LIMIT_EXCEEDED, and as `InTurns`.
 */
export async function newBatch(uses: BatchesUse, order: BatchOrder): Promise<BatchRecord> {
  const { files, quota, batches } = uses;
  const { windowS, fileParam, ...about } = order;
  await quota.refuseFull(about.owner);
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
  await batches.inTurn(about, async () => {
    await refuseMany(uses, about.owner);
    await batches.create(record);
  });
  return record;
}

async function refuseMany({ batches, batchesPerKey: most }: BatchesUse, owner: string): Promise<void> {
  const { length } = await batches.openIdsOf(owner);
  if (length < most) return;
  const whose = owner === "" ? "Clients without API keys have" : "This API key has";
  const problem = `${whose} ${length} batches that are not over, ${most} at most (--batches-per-key)`;
  throw new RhoneError("BATCH_LIMIT_EXCEEDED", `${problem}. Wait until one is over, or cancel one.`);
}

/** Stores requests that came inside a job as its input file. Returns the file's id. Throws FILE_LIMIT_EXCEEDED. */
export async function keepRequests(
  { files, quota }: Pick<BatchesUse, "files" | "quota">,
  requests: BatchJobRequest["requests"],
  owner: string,
): Promise<string> {
  if (requests === undefined) return refuseParam("input_files", ": name at least one file, or send requests.");
  const lines: string[] = [];
  for (const request of requests) lines.push(`${await jsonInTurns(request)}\n`);
  const bytes = Buffer.from(lines.join(""));
  return quota.within(owner, async (room) => {
    const unfinished = await files.create();
    room.file = unfinished;
    const about = { filename: "requests.jsonl", purpose: "batch", kind: "request", expiresAt: null, owner } as const;
    try {
      await unfinished.write(bytes);
      await room.check();
      return (await files.commit(unfinished, { createdAt: Math.floor(Date.now() / 1000), ...about })).id;
    } catch (error) {
      await unfinished.discard().catch(() => {});
      throw error;
    }
  });
}

interface BatchPage extends Reader {
  /** Starts behind this id; undefined: with the newest. */
  readonly after: string | undefined;
  readonly most: number;
}

/** A page of the owner's batches, newest first. Reads no other records. Throws as `InTurns`. */
export async function ownBatches(
  store: BatchStore,
  { after, most, ...reader }: BatchPage,
): Promise<readonly BatchRecord[]> {
  const ids = await store.ids(reader.owner);
  const older = after === undefined ? ids : ids.filter((id) => id < after);
  return store.getAll(older.slice(0, most), reader);
}

const JOBS_PER_PAGE = 100;

type JobQuery = z.output<typeof batchJobListSchema>;

/**
 * A page of the owner's batches as Mistral's jobs, and how many there are in all. Reads the records of the page, or of
 * all the owner's batches to find those with a model or status. Throws as `InTurns`.
 */
export async function ownJobs(store: BatchStore, query: JobQuery, reader: Reader) {
  const { page = 0, page_size = JOBS_PER_PAGE, order_by, model, status, created_after } = query;
  const afterMs = created_after?.getTime() ?? 0;
  const made = (await store.ids(reader.owner)).filter((id) => madeAtMs(id) >= afterMs);
  const ids = order_by === "created" ? made.toReversed() : made;
  const ofPage = <T>(all: readonly T[]) => all.slice(page * page_size, (page + 1) * page_size);
  if (model === undefined && status === undefined)
    return { object: "list", data: await jobsOf(store, ofPage(ids), reader), total: ids.length };
  const found = (await jobsOf(store, ids, reader)).filter(
    (job) => (model ?? job.model) === job.model && (status === undefined || status.includes(job.status)),
  );
  return { object: "list", data: ofPage(found), total: found.length };
}

async function jobsOf(store: BatchStore, ids: readonly string[], reader: Reader) {
  const records = await store.getAll(ids, reader);
  const cancelled = await store.cancelledAll(
    records.map(({ id }) => id),
    reader,
  );
  return mapInTurns([...records.entries()], ([place, job]) => toMistralJob(job, cancelled[place] ?? null));
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

/**
 * Throws INVALID_REQUEST while a batch of the owner that is not over reads the file, RECORD_UNREADABLE when one may.
 */
export async function refuseUsed(store: BatchStore, fileId: string, reader: Reader): Promise<void> {
  const users = await store.getAll(await store.openIdsOf(reader.owner), reader);
  const user = users.find(({ inputFileIds }) => inputFileIds.includes(fileId));
  if (user === undefined) return;
  throw new RequestError(
    "INVALID_REQUEST",
    `${user.id} still reads ${fileId}; cancel the batch or wait until it is over.`,
  );
}
