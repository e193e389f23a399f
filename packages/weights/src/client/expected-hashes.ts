import { Condition, RhoneError } from "@rhone/common";
import { Tries } from "./tries.js";
import type { WeightsClient } from "./weights-client.js";

export interface ExpectedHashesOptions {
  readonly client: Pick<WeightsClient, "hash" | "peer">;
  readonly fingerprint: string;
  readonly tensors: readonly string[];
  readonly signal: AbortSignal;
  readonly backoffMs?: number | undefined;
}

/**
 * The SHA-256 that tensors have at the coordinator. It may compute them first, so they come one after another, while
 * the weights themselves are on their way.
 */
export class ExpectedHashes {
  readonly #options: ExpectedHashesOptions;
  readonly #closing = new AbortController();
  readonly #hashes = new Map<string, string>();
  readonly #came = new Condition();
  #failure: unknown = null;

  constructor(options: ExpectedHashesOptions) {
    this.#options = options;
    this.#read().catch((error: unknown) => {
      this.#failure = error;
      this.#came.notify();
    });
  }

  /** Undefined until it has come. */
  known(tensor: string): string | undefined {
    return this.#hashes.get(tensor);
  }

  /** `waiting` is called now and then. Throws the coordinator's error, WORKER_LOST and the signal's reason. */
  async of(tensor: string, waiting: () => void = () => {}): Promise<string> {
    const { signal } = this.#options;
    for (;;) {
      const { version } = this.#came;
      const hash = this.#hashes.get(tensor);
      if (hash !== undefined) return hash;
      if (this.#failure !== null) throw this.#failure;
      await this.#came.changedSince(version, { signal });
      waiting();
    }
  }

  close(): void {
    this.#closing.abort();
  }

  async #read(): Promise<void> {
    const { client, fingerprint, tensors } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, this.#closing.signal]);
    const tries = new Tries(this.#options.backoffMs);
    for (;;) {
      const missing = tensors.filter((tensor) => !this.#hashes.has(tensor));
      if (missing.length === 0) return;
      try {
        for await (const { tensor, sha256 } of client.hash({ fingerprint, tensors: missing }, signal)) {
          if (tensor && sha256) this.#hashes.set(tensor, Buffer.from(sha256).toString("hex"));
          tries.moved();
          this.#came.notify();
        }
        if (missing.some((tensor) => !this.#hashes.has(tensor))) {
          throw new RhoneError("WORKER_LOST", `${client.peer} ended its stream before all hashes had come.`);
        }
      } catch (error) {
        await tries.after(error, signal);
      }
    }
  }
}
