import type { Logger } from "../observability/logger.js";

/** Closes what a service opened, last opened first. */
export class Shutdown {
  readonly #logger: Logger;
  readonly #closers: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close });
  }

  /** Runs every closer even if one fails; failures are logged. */
  async run(): Promise<void> {
    for (const { name, close } of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.#logger.error({ err: error, resource: name }, "close failed");
      }
    }
  }
}
