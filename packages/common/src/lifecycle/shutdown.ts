import type { Logger } from "../observability/logger.js";

/** Closes the resources of a service, the last opened first and one at a time. */
export class Shutdown {
  readonly #logger: Logger;
  readonly #closers: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close });
  }

  /** Runs each closer once. One that fails is logged by its name and the rest still run. Never rejects. */
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
