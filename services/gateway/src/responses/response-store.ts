import { FairLine, REDIS_PREFIX, RhoneError } from "@rhone/common";
import type { KeptTexts } from "../kept/kept-texts.js";
import { RequestError } from "../request-error.js";
import type { Reader } from "../storage/in-turns.js";
import { readStored } from "../stored-json.js";
import { ownTurn } from "../turns.js";
import { shortJsonInTurns } from "../write-in-turns.js";
import {
  isLost,
  isOver,
  RESPONSE_RECORD_VERSION,
  type ResponseRecord,
  type ResponseView,
  responseRecordSchema,
} from "./response-record.js";

/** Characters of a record before its answer. */
const MOST_CHARACTERS = 1024 * 1024;
/** Characters of a record with its answer's log-probabilities; longer ones are kept without these. */
const MOST_WITH_LOGPROBS = 2 * MOST_CHARACTERS;
/** A record of a megabyte takes the event loop 10 ms to read. Those that wait take turns by owner. */
const READS = { atOnce: 2, most: 1024, withinMs: 30_000 };

const keyOf = (id: string): string => `${REDIS_PREFIX}:response:${id}`;

/** Ids become parts of keys, so anything else is refused. */
const isResponseId = (id: string): boolean => /^resp_[0-9a-f]{32}$/.test(id);

/** Who reads records, and what counts the memory that they take. */
export interface RecordReader extends Reader {
  /** Throws when there is no room. */
  readonly hold?: (bytes: number) => void;
  /** Told of each record of its own that is not over. */
  readonly unfinished?: (record: ResponseRecord) => Promise<void>;
}

export interface FoundResponse {
  readonly record: ResponseRecord;
  readonly characters: number;
}

/** Responses in Redis, each for a set time, or until all take too many bytes. Every call throws REDIS_UNAVAILABLE. */
export class ResponseStore {
  readonly #kept: Pick<KeptTexts, "get" | "keep" | "drop">;
  readonly #ttlS: number;
  readonly #reads = new FairLine({
    ...READS,
    busy: (why) => new RhoneError("GATEWAY_BUSY", `${why} for stored responses; try again shortly.`),
  });

  constructor(kept: Pick<KeptTexts, "get" | "keep" | "drop">, ttlS: number) {
    this.#kept = kept;
    this.#ttlS = ttlS;
  }

  /** Throws INVALID_REQUEST for a record that is too long to be kept. */
  async check(record: ResponseRecord): Promise<string> {
    const text = await textOf(record, MOST_CHARACTERS);
    if (text !== undefined) return text;
    const problem = `store: input, instructions and tools take more than ${MOST_CHARACTERS} characters`;
    throw new RequestError("INVALID_REQUEST", `${problem}; send store: false, or a shorter input.`, { param: "store" });
  }

  /** Keeps a new response. Throws as `check` does. */
  async create(record: ResponseRecord): Promise<void> {
    await this.#keep(record, await this.check(record), "NX");
  }

  /** Keeps a response as it is now; one that was deleted meanwhile, or gave way to others, stays so. */
  async save(record: ResponseRecord, when: "NX" | "XX" = "XX"): Promise<void> {
    const whole = await textOf(record, MOST_WITH_LOGPROBS);
    const text = whole ?? (await textOf(withoutLogprobs(record), Number.POSITIVE_INFINITY)) ?? "";
    await this.#keep(record, text, when);
  }

  /**
   * Throws NOT_FOUND, also for another owner's response, RECORD_UNREADABLE, GATEWAY_BUSY when too many wait for theirs,
   * and the reason of `leaving`.
   */
  async get(id: string, reader: RecordReader): Promise<FoundResponse> {
    const found = await this.find(id, reader);
    if (found !== null) return found;
    throw new RhoneError("NOT_FOUND", `There is no response ${shown(id)}; ${KEPT}.`);
  }

  /** null for a response that does not exist or belongs to another owner. Throws as `get` does. */
  find(id: string, reader: RecordReader): Promise<FoundResponse | null> {
    if (!isResponseId(id)) return Promise.resolve(null);
    return this.#reads.run(reader.owner, () => this.#read(id, reader), reader.leaving);
  }

  drop(id: string, owner: string): Promise<void> {
    return this.#kept.drop(keyOf(id), owner);
  }

  async #read(id: string, { owner, hold, unfinished }: RecordReader): Promise<FoundResponse | null> {
    const text = await this.#kept.get(keyOf(id));
    if (text === null) return null;
    hold?.(2 * text.length);
    await ownTurn();
    const record = readStored(responseRecordSchema, text, `The response ${id}`);
    if (record.owner !== owner) return null;
    if (!isOver(record)) await unfinished?.(record);
    return { record, characters: text.length };
  }

  async #keep({ owner, response }: ResponseRecord, text: string, when: "NX" | "XX"): Promise<void> {
    await this.#kept.keep(keyOf(response.id), { owner, text, ttlS: this.#ttlS, when });
  }
}

/** What became of a response that is not there. */
export const KEPT =
  "stored responses are kept for --response-ttl-s, or until all take more than --response-bytes, unless they are " +
  "deleted or were made with store: false";

/** An id that a client sent, for a message. */
export const shown = (id: string): string => (isResponseId(id) ? id : JSON.stringify(id.slice(0, 64)));

const textOf = (record: ResponseRecord, most: number): Promise<string | undefined> =>
  shortJsonInTurns({ version: RESPONSE_RECORD_VERSION, ...record }, most);

function withoutLogprobs(record: ResponseRecord): ResponseRecord {
  const output = record.response.output.map((item) =>
    item.type === "message" ? { ...item, content: item.content.map((part) => ({ ...part, logprobs: [] })) } : item,
  );
  const response: ResponseView = { ...record.response, output };
  return { ...record, response };
}

/** Throws INVALID_REQUEST for a response that another one cannot continue yet. */
export function refuseUnfinished(record: ResponseRecord): void {
  if (isOver(record) || isLost(record)) return;
  const { id, status } = record.response;
  const message = `previous_response_id: ${id} is ${status}; wait until it is completed.`;
  throw new RequestError("INVALID_REQUEST", message, { param: "previous_response_id" });
}
