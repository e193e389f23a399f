import { describe, expect, it } from "vitest";
import { EventReader, readEvents } from "./server-sent-events.js";

describe("EventReader", () => {
  it("gives a payload as soon as its line has ended, and several at once", () => {
    const reader = new EventReader();
    expect(reader.push(Buffer.from("data: {")).length).toBe(0);
    expect(reader.push(Buffer.from('"a":1}'))).toEqual([]);
    expect(reader.push(Buffer.from("\n\ndata: b\n\nda"))).toEqual(['{"a":1}', "b"]);
    expect(reader.push(Buffer.from("ta: [DONE]\n\n"))).toEqual(["[DONE]"]);
  });

  it("keeps characters whole that are cut between bytes", () => {
    const reader = new EventReader();
    const bytes = Buffer.from("data: né\n");
    expect(reader.push(bytes.subarray(0, 8))).toEqual([]);
    expect(reader.push(bytes.subarray(8))).toEqual(["né"]);
  });

  it("passes over comments and other fields", () => {
    expect(new EventReader().push(Buffer.from(": ping\nid: 4\nevent: x\r\n\r\ndata:y\r\n"))).toEqual(["y"]);
  });
});

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

  it("fails when the stream ends before its last event", async () => {
    await expect(collect("data: one\n\ndata: cut", 5)).rejects.toMatchObject({ code: "NOT_RUNNING" });
  });
});
