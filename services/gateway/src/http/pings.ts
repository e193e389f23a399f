import type { ServerResponse } from "node:http";

/** A comment, which clients of server-sent events ignore. For between two events. */
const PING = ": ping\n\n";

/**
 * Whether the promise is fulfilled within `ms`; 0 = as long as it takes. Rejects as it does, if it does by then.
 * Proxies cut connections on which nothing comes for a minute or less, and a prompt may wait and be prefilled for ten.
 */
export async function isThereWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const isThere = promise.then(() => true);
  if (ms === 0) return isThere;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  return Promise.race([isThere, late]).finally(() => clearTimeout(timer));
}

/** Writes a comment to a stream of events whenever nothing was written for `everyMs`; 0 = never. */
export class Pings {
  readonly #raw: Pick<ServerResponse, "destroyed" | "writableNeedDrain" | "write">;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(raw: Pick<ServerResponse, "destroyed" | "writableNeedDrain" | "write">, everyMs: number) {
    this.#raw = raw;
    if (everyMs > 0) this.#timer = setInterval(() => this.send(), everyMs);
  }

  /** To a client that reads: others need no more to read. */
  send(): void {
    const { destroyed, writableNeedDrain } = this.#raw;
    if (!destroyed && !writableNeedDrain) this.#raw.write(PING);
  }

  /** Something else was written. */
  rest(): void {
    this.#timer?.refresh();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
