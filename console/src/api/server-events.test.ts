import { expect, it } from "vitest";
import { serverEvents } from "./server-events.ts";

const streamOf = (...parts: readonly string[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
      controller.close();
    },
  });

const read = async (...parts: readonly string[]) => {
  const events = [];
  for await (const event of serverEvents(streamOf(...parts))) events.push(event);
  return events;
};

it("joins events that come in pieces, and skips comments", async () => {
  expect(await read("event: tick\nda", 'ta: {"a":1}\n', "\n: ping\n\ndata: [DONE]\n\n")).toEqual([
    { event: "tick", data: '{"a":1}', id: "" },
    { event: "message", data: "[DONE]", id: "" },
  ]);
});

it("keeps the last id, and lines of one event together", async () => {
  expect(await read("id: 1.0\ndata: a\ndata: b\n\ndata: c\n\n")).toEqual([
    { event: "message", data: "a\nb", id: "1.0" },
    { event: "message", data: "c", id: "1.0" },
  ]);
});

it("leaves out an event that breaks off", async () => {
  expect(await read("data: whole\n\ndata: ha")).toEqual([{ event: "message", data: "whole", id: "" }]);
});
