import { setTimeout as sleep } from "node:timers/promises";
import { RhoneError, windowSeconds } from "@rhone/common";
import { z } from "zod";
import {
  type Ask,
  type AskInit,
  askOf,
  type GatewayAccess,
  type Page,
  type PageQuery,
  pageSearch,
} from "./gateway-client.js";

const batchSchema = z.looseObject({
  id: z.string(),
  endpoint: z.string(),
  status: z.string(),
  /** Unix seconds. */
  created_at: z.number(),
  /** Since when it rests, in Unix seconds; absent at a gateway of an earlier version. */
  paused_at: z.number().nullish(),
  output_file_id: z.string().nullable(),
  error_file_id: z.string().nullable(),
  request_counts: z.object({ total: z.number(), completed: z.number(), failed: z.number() }),
  errors: z.object({ data: z.array(z.object({ code: z.string(), message: z.string() })) }).nullable(),
});

/** A batch as the gateway returns it, with all of its fields. */
export type Batch = Readonly<z.infer<typeof batchSchema>>;

const pageSchema = z.object({ data: z.array(batchSchema), has_more: z.boolean() });

const OVER: ReadonlySet<string> = new Set(["completed", "failed", "expired", "cancelled"]);
const POLL_MS = 500;
/** 30 s, in which a gateway may restart. */
const MOST_FAILED_POLLS = 60;

export const isOver = ({ status }: Pick<Batch, "status">): boolean => OVER.has(status);

export interface BatchOrder {
  /** Of the file's lines; see `readBatchFile` of the command line. */
  readonly format: "openai" | "mistral";
  readonly fileId: string;
  readonly endpoint: string;
  /** As `windowSeconds` reads it. */
  readonly window: string;
}

export interface BatchClientOptions extends GatewayAccess {
  /** Between two looks at a batch. */
  readonly pollMs?: number;
}

/** Batches over a gateway's HTTP API. Calls throw what `Ask` throws. */
export class BatchClient {
  readonly #ask: Ask;
  readonly #signal: AbortSignal;
  readonly #pollMs: number;

  constructor({ pollMs = POLL_MS, ...access }: BatchClientOptions) {
    this.#ask = askOf(access);
    this.#signal = access.signal;
    this.#pollMs = pollMs;
  }

  async create({ format, fileId, endpoint, window }: BatchOrder): Promise<Batch> {
    if (format === "openai") {
      return batchSchema.parse(
        await this.#post("/v1/batches", { input_file_id: fileId, endpoint, completion_window: window }),
      );
    }
    const hours = (windowSeconds(window) ?? 0) / 3600;
    if (!Number.isInteger(hours)) {
      const problem = `The file has lines of Mistral's batches, whose time limit is whole hours, not ${window}.`;
      throw new RhoneError("INVALID_REQUEST", `${problem} Give --window in hours, or each line its url.`);
    }
    const job = await this.#post("/v1/batch/jobs", { input_files: [fileId], endpoint, timeout_hours: hours });
    return this.get(z.object({ id: z.string() }).parse(job).id);
  }

  async list(query: PageQuery): Promise<Page<Batch>> {
    const { data, has_more } = pageSchema.parse(await (await this.#ask(`/v1/batches?${pageSearch(query)}`)).json());
    return { data, hasMore: has_more };
  }

  get(id: string): Promise<Batch> {
    return this.#batch(`/v1/batches/${encodeURIComponent(id)}`);
  }

  /** Pausing lets lines that run end; resuming and cancelling end the rest. */
  tell(id: string, what: "pause" | "resume" | "cancel"): Promise<Batch> {
    return this.#batch(`/v1/batches/${encodeURIComponent(id)}/${what}`, { method: "POST" });
  }

  /** The batch every `pollMs` until it has ended. Tolerates a gateway that is away for up to 60 polls. */
  async *watch(id: string): AsyncGenerator<Batch> {
    for (let failures = 0; ; ) {
      try {
        const batch = await this.get(id);
        failures = 0;
        yield batch;
        if (isOver(batch)) return;
      } catch (error) {
        this.#signal.throwIfAborted();
        const isAway = error instanceof RhoneError && (error.code === "NOT_RUNNING" || error.row.retryable);
        if (!isAway || ++failures > MOST_FAILED_POLLS) throw error;
      }
      await sleep(this.#pollMs, undefined, { signal: this.#signal });
    }
  }

  async #post(path: string, body: object): Promise<unknown> {
    const headers = { "content-type": "application/json" };
    return (await this.#ask(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
  }

  async #batch(path: string, init?: AskInit): Promise<Batch> {
    return batchSchema.parse(await (await this.#ask(path, init)).json());
  }
}
