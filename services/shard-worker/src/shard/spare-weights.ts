import { type Logger, toRhoneError, type WorkerMessage } from "@rhone/common";
import type { rhone } from "@rhone/proto";
import type { ModelFiles } from "@rhone/weights";
import { readSpares, type WeightsOrder } from "../wire/read-order.js";
import type { Device, HeldWeights } from "./device.js";

export interface SpareWeightsOptions {
  readonly device: Pick<Device, "hold">;
  readonly files: ModelFiles;
  readonly logger: Logger;
}

/** Weights of other stages' layers, which this worker serves as soon as it is told to, as it holds them already. */
export class SpareWeights {
  readonly #options: SpareWeightsOptions;
  readonly #held = new Map<string, HeldWeights>();
  #loading = new AbortController();

  constructor(options: SpareWeightsOptions) {
    this.#options = options;
  }

  /** Answers with ready or failed; with nothing when a later order overtakes it. What it has read stays. */
  async hold(message: rhone.v1.HoldSpares.$Properties, answer: (message: WorkerMessage) => void): Promise<void> {
    const { device, files, logger } = this.#options;
    const load = message.load ?? 0;
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    try {
      const orders = new Map(readSpares(message).map((order) => [keyOf(order), order]));
      this.#keep(orders);
      for (const [key, order] of orders) {
        if (this.#held.has(key)) continue;
        const held = await device.hold({ order, files, signal });
        if (signal.aborted) held.close();
        signal.throwIfAborted();
        this.#held.set(key, held);
        logger.info({ first: order.range.first, last: order.range.last }, "spare layers loaded");
      }
      signal.throwIfAborted();
      answer({ ready: { load, spare: true } });
    } catch (error) {
      if (signal.aborted) return;
      const { code, message: problem } = toRhoneError(error);
      logger.warn({ err: error, code }, "spare layers could not be loaded");
      answer({ failed: { load, code, message: problem } });
    }
  }

  /** Frees all. */
  drop(): void {
    this.#loading.abort();
    this.#keep(new Map());
  }

  #keep(orders: ReadonlyMap<string, unknown>): void {
    for (const [key, held] of this.#held) {
      if (orders.has(key)) continue;
      this.#held.delete(key);
      held.close();
    }
  }
}

const keyOf = ({ model, range }: WeightsOrder): string => JSON.stringify([model.fingerprint, model.stamp, range]);
