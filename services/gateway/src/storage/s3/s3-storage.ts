import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { type Logger, RhoneError } from "@rhone/common";
import type { LineLog, ObjectStorage, ObjectUpload } from "../object-storage.js";
import { openS3Client, readBody, type S3BucketOptions } from "./s3-bucket.js";
import { describe, explainS3, isBeyondEnd, isRefusal, noSuchObject } from "./s3-errors.js";
import { S3Log } from "./s3-log.js";
import { S3Upload } from "./s3-upload.js";

const RANGE_BYTES = 4 * 1024 * 1024;
const READ_ATTEMPTS = 3;

interface Range {
  readonly bytes: Buffer;
  /** The size of the whole object. */
  readonly total: number;
}

/** Objects in a bucket. Each call costs money and tens of milliseconds, so the pace is slower than on a disk. */
export class S3Storage implements ObjectStorage {
  readonly pace = { sweepMs: 3000, saveMs: 5000 };
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #callMs: number;

  constructor(options: S3BucketOptions) {
    this.#client = openS3Client(options);
    this.#bucket = options.bucket;
    this.#prefix = options.prefix;
    this.#callMs = options.callMs;
  }

  /** Throws INVALID_CONFIG for a bucket that does not exist or refuses access; warns when it does not answer. */
  async check(logger: Logger): Promise<void> {
    const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.#prefix, MaxKeys: 1 });
    await this.#client.send(command, this.#deadline()).catch((error: unknown) => {
      const problem = `The bucket ${this.#bucket} cannot be used: ${describe(error)}.`;
      if (isRefusal(error)) throw new RhoneError("INVALID_CONFIG", problem);
      logger.warn({ problem }, "storage unreachable");
    });
  }

  async list(folder: string): Promise<readonly string[]> {
    const prefix = this.#key(`${folder}/`);
    const names: string[] = [];
    for (let token: string | undefined; ; ) {
      const page: ListObjectsV2CommandOutput = await this.#client
        .send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: prefix,
            Delimiter: "/",
            ...(token !== undefined && { ContinuationToken: token }),
          }),
          this.#deadline(),
        )
        .catch(explainS3);
      for (const { Key } of page.Contents ?? []) names.push((Key ?? "").slice(prefix.length));
      for (const { Prefix } of page.CommonPrefixes ?? []) names.push((Prefix ?? "").slice(prefix.length, -1));
      token = page.NextContinuationToken;
      if (token === undefined) return names.filter((name) => name !== "");
    }
  }

  async get(key: string): Promise<Buffer | null> {
    return this.#fetch(key).then((range) => range?.bytes ?? null, explainS3);
  }

  async put(key: string, text: string): Promise<void> {
    const command = new PutObjectCommand({ ...this.#at(key), Body: text });
    await this.#client.send(command, this.#deadline()).catch(explainS3);
  }

  touch(key: string): Promise<void> {
    return this.put(key, "");
  }

  async delete(key: string): Promise<void> {
    await this.#client.send(new DeleteObjectCommand(this.#at(key)), this.#deadline()).catch(explainS3);
  }

  /** Reads by ranges: a reader may pause for hours between two of them, longer than any connection lasts. */
  read(key: string): Readable {
    return Readable.from(this.#ranges(key), { objectMode: false, highWaterMark: 1 });
  }

  async writtenAtMs(key: string): Promise<number | null> {
    const head = await this.#client
      .send(new HeadObjectCommand(this.#at(key)), this.#deadline())
      .catch(noSuchObject)
      .catch(explainS3);
    return head?.LastModified?.getTime() ?? null;
  }

  async upload(key: string): Promise<ObjectUpload> {
    return new S3Upload(this.#client, this.#at(key));
  }

  async openLog(key: string): Promise<LineLog> {
    return new S3Log((segment, text) => this.put(`${key}-${String(segment).padStart(6, "0")}.jsonl`, text));
  }

  async removeUnfinished(folder: string, beforeMs: number): Promise<void> {
    const command = new ListMultipartUploadsCommand({ Bucket: this.#bucket, Prefix: this.#key(`${folder}/`) });
    const { Uploads = [] } = await this.#client.send(command, this.#deadline()).catch(explainS3);
    for (const { Key, UploadId, Initiated } of Uploads) {
      if (Initiated === undefined || Initiated.getTime() >= beforeMs) continue;
      const abort = new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key, UploadId });
      await this.#client.send(abort, this.#deadline()).catch(noSuchObject).catch(explainS3);
    }
  }

  close(): void {
    this.#client.destroy();
  }

  async *#ranges(key: string): AsyncGenerator<Buffer> {
    for (let at = 0, total = 1; at < total; ) {
      const range = await this.#fetch(key, at).catch(explainS3);
      if (range === null) throw new RhoneError("STORAGE_UNAVAILABLE", `${key} is not in the bucket.`);
      total = range.total;
      at += range.bytes.length;
      if (range.bytes.length > 0) yield range.bytes;
    }
  }

  /** The whole object, or 4 MiB of it from an offset; tried 3 times. null: there is no such object. */
  async #fetch(key: string, from?: number): Promise<Range | null> {
    for (let attempt = 1; ; attempt++) {
      const { abortSignal } = this.#deadline();
      try {
        const command = new GetObjectCommand({ ...this.#at(key), ...(from !== undefined && { Range: rangeAt(from) }) });
        const answer = await this.#client.send(command, { abortSignal });
        const bytes = await readBody(answer, abortSignal);
        return { bytes, total: Number(answer.ContentRange?.split("/")[1] ?? bytes.length) };
      } catch (error) {
        if (isBeyondEnd(error)) return { bytes: Buffer.alloc(0), total: 0 };
        if (isRefusal(error)) return noSuchObject(error);
        if (attempt === READ_ATTEMPTS) throw error;
      }
    }
  }

  #deadline(): { readonly abortSignal: AbortSignal } {
    return { abortSignal: AbortSignal.timeout(this.#callMs) };
  }

  #at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: this.#key(key) };
  }

  #key(key: string): string {
    return this.#prefix + key;
  }
}

const rangeAt = (from: number): string => `bytes=${from}-${from + RANGE_BYTES - 1}`;
