import { describe, expect, it } from "vitest";
import { readEvents } from "./read-events.js";

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(text: string, size: number): Promise<string[]> {
  const events: string[] = [];
  for await (const data of readEvents(inPieces(text, size))) events.push(data);
  return events;
}

describe("readEvents", () => {
  const stream = ': hello\n\ndata: {"text":"é"}\r\n\r\nid: 2\ndata: two\n\ndata: [DONE]\n\ndata: late\n\n';

  it.each([1, 2, 7, 1000])("finds the same events in pieces of %d bytes", async (size) => {
    expect(await collect(stream, size)).toEqual(['{"text":"é"}', "two"]);
  });

  it("ends with the stream", async () => expect(await collect("data: one\n\ndata: cut", 5)).toEqual(["one"]));
});
