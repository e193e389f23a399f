import { access } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Logger, RhoneError, type Security, toRhoneError } from "@rhone/common";
import { type GgufFile, openGguf, type TensorInfo } from "@rhone/model";
import type { WeightCache } from "../cache/weight-cache.js";
import { fileStamp } from "../files/file-stamp.js";
import type { HashThread } from "../files/hash-thread.js";
import { TensorHashes } from "../files/tensor-hashes.js";
import { ExpectedHashes } from "./expected-hashes.js";
import { type FetchModelRequest, type FetchProgress, type FoundModel, fetchModel } from "./fetch-model.js";
import type { FetchCounts } from "./fetch-tensors.js";
import { WeightsClient } from "./weights-client.js";

/** The coordinator's model, as it tells of it. */
export interface WantedModel {
  readonly name: string;
  /** On the coordinator's machine. */
  readonly path: string;
  readonly fingerprint: string;
  /** As `fileStamp` has it; "": of no file that could be here. */
  readonly stamp: string;
  /** host:port of the process that has all weights; "": the coordinator. */
  readonly origin: string;
  /** host:port of processes that may have some of them. */
  readonly sources: readonly string[];
}

export interface FindOptions extends Pick<FetchModelRequest, "wanted" | "signal"> {
  readonly onProgress: FetchProgress;
}

/** Where a process finds the files of models. */
export interface ModelFiles {
  /** The file, with the bytes of the tensors that are wanted of it. */
  find(model: WantedModel, options: FindOptions): Promise<FoundModel>;
}

/** The file at the model's path as it is, for a process without a coordinator. */
export const fileAtPath: ModelFiles = {
  find: async ({ path }) => ({ file: await openGguf(path), tensors: null, close: () => {} }),
};

export interface FetchedFilesOptions {
  /** host:port. */
  readonly coordinator: string;
  /** Borrowed. */
  readonly security: Security;
  /** This machine's own folder of model files. */
  readonly modelsDir: string | undefined;
  readonly cache: WeightCache;
  /** Borrowed. */
  readonly thread: Pick<HashThread, "hash">;
  readonly counts: FetchCounts;
  readonly logger: Logger;
  readonly backoffMs?: number;
}

/**
 * The file at the coordinator's path, else the file of that name in this machine's own folder, else one in the cache
 * that is completed over the wire. A file that is not the coordinator's itself is used when the wanted tensors have the
 * coordinator's hashes.
 */
export class FetchedFiles implements ModelFiles {
  readonly #options: FetchedFilesOptions;

  constructor(options: FetchedFilesOptions) {
    this.#options = options;
  }

  /** Throws what fetchModel throws, with the places where there was no file, or another one. */
  async find(model: WantedModel, options: FindOptions): Promise<FoundModel> {
    const address = model.origin || this.#options.coordinator;
    const client = new WeightsClient({ address, role: "coordinator", security: this.#options.security });
    try {
      const problems: string[] = [];
      for (const place of this.#placesOf(model)) {
        const found = await this.#open(place, { model, options, client });
        if (typeof found !== "string") return { file: found, tensors: null, close: () => {} };
        problems.push(found);
      }
      return await this.#fetch(model, options, { client, problems });
    } finally {
      client.close();
    }
  }

  #placesOf({ path }: WantedModel): readonly string[] {
    const { modelsDir } = this.#options;
    return [path, ...(modelsDir === undefined ? [] : [join(modelsDir, basename(path))])];
  }

  /** The file, or why it can't be used. */
  async #open(place: string, search: Search): Promise<GgufFile | string> {
    const isThere = await access(place).then(
      () => true,
      () => false,
    );
    if (!isThere) return `there is no ${place}`;
    try {
      const file = await openGguf(place);
      const problem = await this.#compare(file, search);
      if (problem === null) return file;
      this.#options.logger.warn({ path: place, problem }, "this is not the coordinator's model file");
      return `${place} differs: ${problem}`;
    } catch (error) {
      const { code, message } = toRhoneError(error);
      if (!code.startsWith("GGUF_") && code !== "MODEL_NOT_FOUND") throw error;
      this.#options.logger.warn({ path: place, code, problem: message }, "a model file can't be read");
      return message.replace(/\.$/, "");
    }
  }

  async #compare(file: GgufFile, { model, options, client }: Search): Promise<string | null> {
    const { headerFingerprint } = file;
    if (headerFingerprint !== model.fingerprint) {
      return `its header has the SHA-256 ${headerFingerprint}, the coordinator's ${model.fingerprint}`;
    }
    if ((await fileStamp(file)) === model.stamp) return null;
    const tensors = options.wanted(file);
    if (tensors.length === 0) return null;
    const { cache, thread, backoffMs } = this.#options;
    const hashes = await TensorHashes.open({ file, thread, folder: cache.folder });
    const names = tensors.map(({ name }) => name);
    const { fingerprint } = model;
    const expected = new ExpectedHashes({ client, fingerprint, tensors: names, signal: options.signal, backoffMs });
    try {
      return await firstDifference(tensors, { hashes, expected, options });
    } finally {
      expected.close();
    }
  }

  async #fetch(
    { name, fingerprint, sources }: WantedModel,
    { wanted, onProgress, signal }: FindOptions,
    { client, problems }: { readonly client: WeightsClient; readonly problems: readonly string[] },
  ): Promise<FoundModel> {
    const { security } = this.#options;
    const others = sources.map((address) => new WeightsClient({ address, role: "worker", security }));
    const request = { ...this.#options, fingerprint, wanted, origin: client, others, onProgress, signal };
    try {
      return await fetchModel(request);
    } catch (error) {
      signal.throwIfAborted();
      const { code, message } = toRhoneError(error);
      const why = `The weights of ${name} could not be fetched, which this machine lacks (${problems.join("; ")})`;
      throw new RhoneError(code, `${why}: ${message}`, { cause: error });
    } finally {
      for (const other of others) other.close();
    }
  }
}

interface Search {
  readonly model: WantedModel;
  readonly options: FindOptions;
  readonly client: WeightsClient;
}

/** The first tensor that is not the coordinator's, in words; null: all are. */
async function firstDifference(
  tensors: readonly TensorInfo[],
  {
    hashes,
    expected,
    options,
  }: {
    readonly hashes: TensorHashes;
    readonly expected: ExpectedHashes;
    readonly options: FindOptions;
  },
): Promise<string | null> {
  const totalBytes = tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  let bytes = 0;
  for (const info of tensors) {
    options.signal.throwIfAborted();
    const progressed = (): void => options.onProgress("check", bytes, totalBytes);
    const [is, wanted] = [await hashes.of("check", info.name), await expected.of(info.name, progressed)];
    if (is !== wanted) return `its ${info.name} has the SHA-256 ${is}, the coordinator's ${wanted}`;
    bytes += info.bytes;
    progressed();
  }
  return null;
}
