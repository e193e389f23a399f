import type { RhoneError } from "@rhone/common";
import { writeRevoked } from "../identity-files.js";
import type { Log } from "../log.js";
import type { Revoked } from "./enrollment-client.js";

const LOOK_MS = 5000;

export interface ExpulsionsOptions {
  readonly fetch: () => Promise<Revoked>;
  /** The file that this machine's processes read. */
  readonly path: string;
  /** Called when this machine itself was expelled. */
  readonly onExpelled: (why: RhoneError) => void;
  readonly logger: Pick<Log, "warn">;
  readonly lookMs?: number;
}

/**
 * Keeps this machine's list of expelled members as the authority has it, five seconds late at most. While the authority
 * does not answer, the list stays. Close it.
 */
export class Expulsions {
  readonly #options: ExpulsionsOptions;
  readonly #timer: NodeJS.Timeout;
  #isLooking = false;
  #told = "";

  constructor(options: ExpulsionsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.lookMs ?? LOOK_MS).unref();
  }

  /** Looks now, too. Never rejects. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { fetch, path, onExpelled, logger } = this.#options;
    try {
      const { keys, expelled } = await fetch();
      if (expelled === null) await writeRevoked(path, keys);
      else onExpelled(expelled);
      this.#told = "";
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#told) logger.warn({ reason: message }, "not known whether members were expelled");
      this.#told = message;
    } finally {
      this.#isLooking = false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
