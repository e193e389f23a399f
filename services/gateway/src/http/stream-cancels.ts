import { FairLine, RhoneError } from "@rhone/common";
import { addressesOf, type StreamRecords } from "../answers/stream-records.js";
import type { GenerationClient } from "../queue/generation-client.js";
import type { Reader } from "../storage/in-turns.js";

/** Streams that are cancelled at a time. Those that wait take turns by owner; each holds its clients' connections. */
const LINE = { atOnce: 16, most: 1024, withinMs: 30_000 };

export interface StreamCancelsUse {
  readonly client: Pick<GenerationClient, "cancel">;
  readonly streams: Pick<StreamRecords, "head" | "load">;
}

/** Ends the generation of streams. Requests for the same one share the work: it may have 2,048 choices. */
export class StreamCancels {
  readonly #uses: StreamCancelsUse;
  readonly #running = new Map<string, Promise<void>>();
  readonly #line = new FairLine({
    ...LINE,
    busy: (why) => new RhoneError("GATEWAY_BUSY", `${why} to cancel streams; try again shortly.`),
  });

  constructor(uses: StreamCancelsUse) {
    this.#uses = uses;
  }

  /** Throws as `StreamRecords.load` does. A client that leaves wants its stream to end all the same. */
  async cancel(id: string, reader: Reader): Promise<void> {
    await this.#uses.streams.head(id, reader);
    await (this.#running.get(id) ?? this.#begin(id, reader.owner));
  }

  #begin(id: string, owner: string): Promise<void> {
    const cancelling = this.#line.run(owner, () => this.#cancel(id, owner)).finally(() => this.#running.delete(id));
    this.#running.set(id, cancelling);
    return cancelling;
  }

  async #cancel(id: string, owner: string): Promise<void> {
    const record = await this.#uses.streams.load(id, { owner });
    await Promise.all(addressesOf(record).map((job) => this.#uses.client.cancel(job)));
  }
}
