import { FINISHED_LOG_TTL_S, type GenerationJob, RhoneError, redisUnavailable, streamKey } from "@rhone/common";
import { z } from "zod";
import { readStored } from "../stored-json.js";
import { shortJsonInTurns } from "../turns.js";
import { type WriterRecord, writerRecordSchema } from "./writer-record.js";

const VERSION = 1;
/** Memory of Redis: a record holds the prompts, one for each choice. */
const MOST_CHARACTERS = 1024 * 1024;

const addressSchema = z.object({
  requestId: z.string(),
  replyTo: z.string(),
  lane: z.enum(["interactive", "batch"]),
});

export const streamRecordSchema = z.object({
  version: z.literal(VERSION).default(VERSION),
  writer: writerRecordSchema,
  jobs: z.array(addressSchema).min(1).readonly(),
  /** Unix milliseconds. */
  deadlineAtMs: z.number(),
  /** Who may read and end the stream. */
  owner: z.string(),
});

/** Everything a gateway needs to write an answer again, besides the token logs of its jobs. */
export type StreamRecord = Readonly<z.output<typeof streamRecordSchema>>;

/** The record of a request that is about to run. */
export function streamRecordOf(writer: WriterRecord, jobs: readonly GenerationJob[]): StreamRecord {
  return {
    version: VERSION,
    writer,
    jobs: jobs.map(({ requestId, replyTo, lane }) => ({ requestId, replyTo, lane })),
    deadlineAtMs: Math.max(...jobs.map((job) => job.deadlineAtMs)),
    owner: jobs[0]?.keyId ?? "",
  };
}

/** How long, in seconds, the token logs of a record's jobs can still be read. */
export const logTtlS = ({ deadlineAtMs }: StreamRecord): number =>
  Math.max(1, Math.ceil((deadlineAtMs - Date.now()) / 1000)) + FINISHED_LOG_TTL_S;

/** The commands used of Redis. */
interface RecordStore {
  get(key: string): Promise<string | null>;
  set(key: string, text: string, mode: "EX", ttlS: number): Promise<unknown>;
}

/** Records of resumable streams, kept in Redis as long as the token logs they belong to. */
export class StreamRecords {
  readonly #redis: RecordStore;

  /** `redis` is borrowed. */
  constructor(redis: RecordStore) {
    this.#redis = redis;
  }

  /** Throws REDIS_UNAVAILABLE, and INVALID_REQUEST for prompts that are too long to be kept. */
  async save(record: StreamRecord): Promise<void> {
    const { id } = record.writer.options;
    const text = await shortJsonInTurns(record, MOST_CHARACTERS);
    if (text === undefined) {
      const message = `The prompts of ${id}, one for each choice, take more than ${MOST_CHARACTERS} characters.`;
      throw new RhoneError("INVALID_REQUEST", message);
    }
    await this.#redis.set(streamKey(id), text, "EX", logTtlS(record)).catch(redisUnavailable);
  }

  /** Throws NOT_FOUND, also for another owner's stream, RECORD_UNREADABLE and REDIS_UNAVAILABLE. */
  async load(id: string, owner: string): Promise<StreamRecord> {
    const text = await this.#redis.get(streamKey(id)).catch(redisUnavailable);
    const record = text === null ? undefined : readStored(streamRecordSchema, text, `The stream ${id}`);
    if (record?.owner === owner) return record;
    const kept = `a resumable stream is kept until ${FINISHED_LOG_TTL_S / 60} minutes after its end`;
    throw new RhoneError("NOT_FOUND", `There is no stream ${id}; ${kept}.`);
  }
}
