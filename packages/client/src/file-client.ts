import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { RhoneError } from "@rhone/common";
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

const fileSchema = z.looseObject({
  id: z.string(),
  filename: z.string(),
  purpose: z.string(),
  bytes: z.number(),
  num_lines: z.number(),
  /** Unix seconds. */
  created_at: z.number(),
});

/** A file as the gateway returns it, with all of its fields. */
export type StoredFile = Readonly<z.infer<typeof fileSchema>>;

const uploadSchema = z.object({ id: z.string() });
const pageSchema = z.object({ data: z.array(fileSchema), has_more: z.boolean() });

/** Files over a gateway's HTTP API. Calls throw what `Ask` throws. */
export class FileClient {
  readonly #ask: Ask;

  constructor(access: GatewayAccess) {
    this.#ask = askOf(access);
  }

  /** Uploads a file while reading it and returns its id. Throws INVALID_REQUEST when it can't be read. */
  async upload(path: string): Promise<string> {
    await stat(path).catch((cause: unknown) => {
      throw new RhoneError("INVALID_REQUEST", `${path} can't be read: ${(cause as Error).message}.`, { cause });
    });
    const boundary = `rhone-${randomUUID()}`;
    const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
    const body = Readable.toWeb(Readable.from(formOf(path, boundary))) as AskInit["body"];
    const response = await this.#ask("/v1/files", { method: "POST", headers, body: body ?? null, duplex: "half" });
    return uploadSchema.parse(await response.json()).id;
  }

  async list(query: PageQuery): Promise<Page<StoredFile>> {
    const { data, has_more } = pageSchema.parse(await (await this.#ask(`/v1/files?${pageSearch(query)}`)).json());
    return { data, hasMore: has_more };
  }

  async content(id: string): Promise<Readable> {
    const { body } = await this.#ask(`/v1/files/${encodeURIComponent(id)}/content`);
    return body === null ? Readable.from([]) : Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
  }

  async delete(id: string): Promise<void> {
    await this.#ask(`/v1/files/${encodeURIComponent(id)}`, { method: "DELETE" });
  }
}

async function* formOf(path: string, boundary: string): AsyncGenerator<Uint8Array> {
  const name = basename(path).replaceAll(/["\r\n]/g, "_");
  const field = (about: string) => `--${boundary}\r\ncontent-disposition: form-data; ${about}`;
  const file = `${field(`name="file"; filename="${name}"`)}\r\ncontent-type: application/jsonl\r\n\r\n`;
  yield Buffer.from(`${field('name="purpose"')}\r\n\r\nbatch\r\n${file}`);
  yield* createReadStream(path);
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}
