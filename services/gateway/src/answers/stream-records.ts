import {
  FairLine,
  FINISHED_LOG_TTL_S,
  type GenerationJob,
  LANES,
  RhoneError,
  streamHeadKey,
  streamKey,
  traceCarrierSchema,
} from "@rhone/common";
import { z } from "zod";
import type { KeptTexts } from "../kept/kept-texts.js";
import type { JobAddress } from "../queue/generation-client.js";
import type { Reader } from "../storage/in-turns.js";
import { readStored } from "../stored-json.js";
import { ownTurn } from "../turns.js";
import { shortJsonInTurns } from "../write-in-turns.js";
import { type WriterRecord, writerRecordSchema } from "./writer-record.js";

const VERSION = 1;
/** Memory of Redis: a record holds the prompts, one for each choice. */
const MOST_CHARACTERS = 1024 * 1024;
/** A record of a megabyte takes the event loop 10 ms to read. Those that wait take turns by owner. */
const READS = { atOnce: 2, most: 1024, withinMs: 30_000 };

const addressSchema = z.object({
  requestId: z.string(),
  replyTo: z.string(),
  model: z.string(),
  lane: z.enum(LANES),
});

export const streamRecordSchema = z.object({
  version: z.literal(VERSION).default(VERSION),
  writer: writerRecordSchema,
  jobs: z.array(addressSchema).min(1).readonly(),
  /** Unix milliseconds. */
  deadlineAtMs: z.number(),
  /** Who may read and end the stream. */
  owner: z.string(),
  /** The most that the answer may take in memory until its end. Absent = unknown, in records of earlier versions. */
  answerBytes: z.number().exactOptional(),
  /** The span of its generation; absent: it was not traced. */
  trace: traceCarrierSchema.exactOptional(),
});

/** Everything a gateway needs to write an answer again, besides the token logs of its jobs. */
export type StreamRecord = Readonly<z.output<typeof streamRecordSchema>>;

const headSchema = z.object({
  version: z.literal(VERSION),
  /** Who may read and end the stream. */
  owner: z.string(),
  choices: z.number(),
});

/** What a request about a stream is judged by. Its record may be a thousand times as long. */
export type StreamHead = Readonly<z.output<typeof headSchema>>;

/** The record of a request that is about to run. */
export function streamRecordOf(writer: WriterRecord, jobs: readonly GenerationJob[], answerBytes = 0): StreamRecord {
  return {
    version: VERSION,
    writer,
    answerBytes,
    jobs: jobs.map(({ requestId, replyTo, model, lane }) => ({ requestId, replyTo, model, lane })),
    deadlineAtMs: Math.max(...jobs.map((job) => job.deadlineAtMs)),
    owner: jobs[0]?.keyId ?? "",
    ...(jobs[0]?.trace !== undefined && { trace: jobs[0].trace }),
  };
}

/** How long, in seconds, the token logs of a record's jobs can still be read. */
export const logTtlS = ({ deadlineAtMs }: StreamRecord): number =>
  Math.max(1, Math.ceil((deadlineAtMs - Date.now()) / 1000)) + FINISHED_LOG_TTL_S;

/** Where its jobs and their logs are. */
export const addressesOf = ({ jobs, owner }: StreamRecord): readonly JobAddress[] =>
  jobs.map((job) => ({ ...job, keyId: owner }));

/** Whether its job is kept with its response: a gateway queues it when it can, however long that takes. */
export const isInBackground = ({ writer }: StreamRecord): boolean =>
  writer.kind === "responses" && writer.options.echo.background === true;

/** Records of resumable streams, kept as long as the token logs they belong to, or until there are too many. */
export class StreamRecords {
  readonly #kept: Pick<KeptTexts, "get" | "keep">;
  readonly #reads = new FairLine({
    ...READS,
    busy: (why) => new RhoneError("GATEWAY_BUSY", `${why} for the records of streams; try again shortly.`),
  });

  constructor(kept: Pick<KeptTexts, "get" | "keep">) {
    this.#kept = kept;
  }

  /** Throws REDIS_UNAVAILABLE, and INVALID_REQUEST for prompts that are too long to be kept. */
  async save(record: StreamRecord): Promise<void> {
    const { id } = record.writer.options;
    const text = await shortJsonInTurns(record, MOST_CHARACTERS);
    if (text === undefined) {
      const message = `The prompts of ${id}, one for each choice, take more than ${MOST_CHARACTERS} characters.`;
      throw new RhoneError("INVALID_REQUEST", message);
    }
    const about = { owner: record.owner, ttlS: logTtlS(record) };
    const head = JSON.stringify(headOf(record));
    await Promise.all([
      this.#kept.keep(streamKey(id), { ...about, text }),
      this.#kept.keep(streamHeadKey(id), { ...about, text: head }),
    ]);
  }

  /** Throws as `load` does. Those who ask at once go on in turns: 256 readers of a stream were refused in one. */
  async head(id: string, reader: Reader): Promise<StreamHead> {
    const text = await this.#kept.get(streamHeadKey(id));
    await ownTurn();
    // Gateways of the release before wrote none.
    if (text === null) return headOf(await this.load(id, reader));
    return ofOwner(id, readStored(headSchema, text, `The stream ${id}`), reader);
  }

  /**
   * Throws NOT_FOUND, also for another owner's stream, RECORD_UNREADABLE, REDIS_UNAVAILABLE, GATEWAY_BUSY when too many
   * wait for their records, and the reason of `leaving`.
   */
  load(id: string, reader: Reader): Promise<StreamRecord> {
    return this.#reads.run(reader.owner, () => this.#load(id, reader), reader.leaving);
  }

  async #load(id: string, reader: Reader): Promise<StreamRecord> {
    const text = await this.#kept.get(streamKey(id));
    await ownTurn();
    return ofOwner(id, text === null ? null : readStored(streamRecordSchema, text, `The stream ${id}`), reader);
  }
}

const headOf = ({ owner, jobs }: StreamRecord): StreamHead => ({ version: VERSION, owner, choices: jobs.length });

function ofOwner<T extends { readonly owner: string }>(id: string, found: T | null, { owner }: Reader): T {
  if (found?.owner === owner) return found;
  const kept = `a resumable stream is kept until ${FINISHED_LOG_TTL_S / 60} minutes after its end`;
  const sooner = "or until the records of all take more than --stream-record-bytes";
  throw new RhoneError("NOT_FOUND", `There is no stream ${id}; ${kept}, ${sooner}.`);
}
