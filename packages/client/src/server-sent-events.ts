import { RhoneError } from "@rhone/common";

/** Cuts a stream of server-sent events into the payloads of its data lines, however the bytes are split. */
export class EventReader {
  readonly #decoder = new TextDecoder();
  #rest = "";

  /** The payloads that end with these bytes. */
  push(bytes: Uint8Array): readonly string[] {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split(/\r?\n/);
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => (line.startsWith("data:") ? [line.slice("data:".length).trimStart()] : []));
  }
}

/** The payload that ends a stream. */
export const DONE = "[DONE]";

/** The data payloads of a stream of server-sent events, until [DONE]. Throws NOT_RUNNING when it ends before. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const reader = new EventReader();
  for await (const bytes of untilBroken(body)) {
    for (const data of reader.push(bytes)) {
      if (data === DONE) return;
      yield data;
    }
  }
  throw brokenOff();
}

async function* untilBroken(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    throw brokenOff(cause);
  }
}

const brokenOff = (cause?: unknown): RhoneError =>
  new RhoneError("NOT_RUNNING", "The gateway closed the connection before the answer was complete.", { cause });
