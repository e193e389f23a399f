import { once } from "node:events";
import { PassThrough } from "node:stream";
import { HeadObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { ObjectUpload } from "../object-storage.js";
import { explainS3 } from "./s3-errors.js";

const PART_BYTES = 8 * 1024 * 1024;
/** Parts under way at a time: what an upload holds in memory is this many, and one that is being filled. */
const PARTS = 2;

interface S3Place {
  readonly Bucket: string;
  readonly Key: string;
}

/** One PutObject below 8 MiB, else a multipart upload. Nobody else may write to the key. */
export class S3Upload implements ObjectUpload {
  readonly #client: S3Client;
  readonly #place: S3Place;
  readonly #body = new PassThrough({ highWaterMark: 256 * 1024 });
  readonly #upload: Upload;
  readonly #done: Promise<unknown>;

  constructor(client: S3Client, place: S3Place) {
    this.#client = client;
    this.#place = place;
    const params = { ...place, Body: this.#body };
    this.#upload = new Upload({ client, params, partSize: PART_BYTES, queueSize: PARTS });
    this.#done = this.#upload.done();
    // Whoever writes next hears of it.
    this.#done.catch(() => this.#body.destroy());
    this.#body.on("error", () => {});
  }

  async write(bytes: Buffer): Promise<void> {
    if (this.#body.destroyed) await this.#done.catch(explainS3);
    if (this.#body.write(bytes)) return;
    const drained = new AbortController();
    try {
      await Promise.race([once(this.#body, "drain", { signal: drained.signal }), this.#done]).catch(explainS3);
    } finally {
      drained.abort();
    }
  }

  async finish(): Promise<void> {
    this.#body.end();
    await this.#done.catch((error: unknown) => this.#acceptCompleted(error)).catch(explainS3);
  }

  /** The end was told twice, since the answer to the first time was lost; not every service takes that as Amazon's does. */
  async #acceptCompleted(error: unknown): Promise<void> {
    if (!(error instanceof Error) || error.name !== "NoSuchUpload") throw error;
    await this.#client.send(new HeadObjectCommand(this.#place)).catch(() => {
      throw error;
    });
  }

  /** The parts that are there are removed in the background. */
  async abort(): Promise<void> {
    await this.#upload.abort();
    this.#body.destroy(new Error("The upload was given up."));
    await this.#done.catch(() => {});
  }
}
