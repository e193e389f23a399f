import { once } from "node:events";
import { PassThrough } from "node:stream";
import { HeadObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { ObjectUpload } from "../object-storage.js";
import { explainS3 } from "./s3-errors.js";

const PART_BYTES = 8 * 1024 * 1024;
/** Parts in flight at a time. An upload holds these and the one being filled in memory: 24 MiB. */
const PARTS = 2;

interface S3Place {
  readonly Bucket: string;
  readonly Key: string;
}

/** One PutObject below 8 MiB, otherwise a multipart upload. No other upload may write to the key. */
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
    // The next write throws the error.
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

  /** After a lost answer NoSuchUpload means that the upload is complete. Amazon accepts a repetition, others do not. */
  async #acceptCompleted(error: unknown): Promise<void> {
    if (!(error instanceof Error) || error.name !== "NoSuchUpload") throw error;
    await this.#client.send(new HeadObjectCommand(this.#place)).catch(() => {
      throw error;
    });
  }

  /** Uploaded parts are removed in the background. */
  async abort(): Promise<void> {
    await this.#upload.abort();
    this.#body.destroy(new Error("The upload was aborted."));
    await this.#done.catch(() => {});
  }
}
