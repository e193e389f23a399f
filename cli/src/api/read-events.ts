import { DONE, EventReader } from "./event-reader.js";

/** The data payloads of a stream of server-sent events, until it ends or says [DONE]. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const reader = new EventReader();
  for await (const bytes of body) {
    for (const data of reader.push(bytes)) {
      if (data === DONE) return;
      yield data;
    }
  }
}
