import { RhoneError } from "@rhone/common";
import { readyCoordinator, type ServedModels } from "./served-models.js";

/** A coordinator that restarts, or lost a worker, is back sooner; what runs waits that long for it. */
const LOST_MS = 30_000;
const LOOK_MS = 1000;

type Models = Pick<ServedModels, "find">;

/**
 * Looks whether a model is served, for work that nobody waits for: while it waits for a lost model it would hold places
 * that other models' work needs.
 */
export class ModelWatch {
  readonly #models: Models;
  readonly #name: string | undefined;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #servedAtMs = performance.now();

  private constructor(models: Models, name: string | undefined) {
    this.#models = models;
    this.#name = name;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  /** `name`: as requests ask for it. Throws NO_PIPELINE and MODEL_NOT_FOUND for one that is not served now. */
  static async open(models: Models, name: string | undefined): Promise<ModelWatch> {
    readyCoordinator(await models.find(name));
    return new ModelWatch(models, name);
  }

  /** Aborted with SHUTTING_DOWN, at which generations go on, when no coordinator has been ready for 30 s. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    // Without Redis nothing is known.
    const isServed = await this.#models.find(this.#name).then(
      ({ coordinators }) => coordinators.some(({ state }) => state === "ready"),
      () => true,
    );
    if (isServed) this.#servedAtMs = performance.now();
    if (performance.now() - this.#servedAtMs < LOST_MS) return;
    this.close();
    const problem = `No coordinator of the model has been ready for ${LOST_MS / 1000} s`;
    this.#lost.abort(new RhoneError("SHUTTING_DOWN", `${problem}; its work goes on when one is.`));
  }
}
