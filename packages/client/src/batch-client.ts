import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { RhoneError } from "@rhone/common";
import { z } from "zod";
import { askGateway, type GatewayInit, gatewayFailure } from "./ask-gateway.js";

const batchSchema = z.looseObject({
  id: z.string(),
  endpoint: z.string(),
  status: z.string(),
  output_file_id: z.string().nullable(),
  error_file_id: z.string().nullable(),
  request_counts: z.object({ total: z.number(), completed: z.number(), failed: z.number() }),
  errors: z.object({ data: z.array(z.object({ code: z.string(), message: z.string() })) }).nullable(),
});

/** A batch as the gateway returns it, with all of its fields. */
export type Batch = Readonly<z.infer<typeof batchSchema>>;

const fileSchema = z.object({ id: z.string() });

const OVER: ReadonlySet<string> = new Set(["completed", "failed", "expired", "cancelled"]);
const POLL_MS = 500;
/** 30 s, in which a gateway may restart. */
const MOST_FAILED_POLLS = 60;

export const isOver = ({ status }: Batch): boolean => OVER.has(status);

export interface BatchClientOptions {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly signal: AbortSignal;
  /** Between two looks at a batch. */
  readonly pollMs?: number;
}

/**
 * Batches over a gateway's HTTP API. Every call throws the gateway's own errors, and NOT_RUNNING when no gateway
 * answers.
 */
export class BatchClient {
  readonly #url: string;
  readonly #signal: AbortSignal;
  readonly #apiKey: string | undefined;
  readonly #pollMs: number;

  constructor({ url, apiKey, signal, pollMs = POLL_MS }: BatchClientOptions) {
    this.#url = url.replace(/\/+$/, "");
    this.#signal = signal;
    this.#apiKey = apiKey;
    this.#pollMs = pollMs;
  }

  /** Uploads a file while reading it and returns its id. Throws INVALID_REQUEST when it can't be read. */
  async upload(path: string): Promise<string> {
    await stat(path).catch((cause: unknown) => {
      throw new RhoneError("INVALID_REQUEST", `${path} can't be read: ${(cause as Error).message}.`, { cause });
    });
    const boundary = `rhone-${randomUUID()}`;
    const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
    const body = Readable.toWeb(Readable.from(formOf(path, boundary))) as GatewayInit["body"];
    const response = await this.#fetch("/v1/files", { method: "POST", headers, body: body ?? null, duplex: "half" });
    return fileSchema.parse(await response.json()).id;
  }

  async create(order: { readonly fileId: string; readonly endpoint: string; readonly window: string }): Promise<Batch> {
    const { fileId, endpoint, window } = order;
    const body = JSON.stringify({ input_file_id: fileId, endpoint, completion_window: window });
    return this.#batch("/v1/batches", { method: "POST", headers: { "content-type": "application/json" }, body });
  }

  get(id: string): Promise<Batch> {
    return this.#batch(`/v1/batches/${encodeURIComponent(id)}`);
  }

  cancel(id: string): Promise<Batch> {
    return this.#batch(`/v1/batches/${encodeURIComponent(id)}/cancel`, { method: "POST" });
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

  async content(fileId: string): Promise<Readable> {
    const { body } = await this.#fetch(`/v1/files/${encodeURIComponent(fileId)}/content`);
    return body === null ? Readable.from([]) : Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
  }

  async #batch(path: string, init: BatchInit = {}): Promise<Batch> {
    return batchSchema.parse(await (await this.#fetch(path, init)).json());
  }

  async #fetch(path: string, init: BatchInit = {}): Promise<Response> {
    const response = await askGateway(this.#url + path, { ...init, apiKey: this.#apiKey, signal: this.#signal });
    if (response.ok) return response;
    throw gatewayFailure(await response.text(), response.status);
  }
}

type BatchInit = Omit<GatewayInit, "signal" | "apiKey">;

async function* formOf(path: string, boundary: string): AsyncGenerator<Uint8Array> {
  const name = basename(path).replaceAll(/["\r\n]/g, "_");
  const field = (about: string) => `--${boundary}\r\ncontent-disposition: form-data; ${about}`;
  const file = `${field(`name="file"; filename="${name}"`)}\r\ncontent-type: application/jsonl\r\n\r\n`;
  yield Buffer.from(`${field('name="purpose"')}\r\n\r\nbatch\r\n${file}`);
  yield* createReadStream(path);
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}
