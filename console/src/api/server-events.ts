/** A server-sent event. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  /** The id of the last event that had one; "" = none had. */
  readonly id: string;
}

/** The events of a stream, until it ends. Throws what reading throws. */
export async function* serverEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let [left, id] = ["", ""];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      left += decoder.decode(value, { stream: true });
      const blocks = left.split(/\r?\n\r?\n/);
      left = blocks.pop() ?? "";
      for (const block of blocks) {
        const read = parse(block, id);
        id = read.id;
        if (read.data !== "") yield read;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parse(block: string, lastId: string): ServerEvent {
  let [event, id] = ["message", lastId];
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value = ""] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === "event") event = value;
    else if (field === "id") id = value;
    else if (field === "data") data.push(value);
  }
  return { event, data: data.join("\n"), id };
}
