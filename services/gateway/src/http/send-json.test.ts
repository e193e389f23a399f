import type { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { expect, it } from "vitest";
import { madeList } from "../write-in-turns.js";
import { sendJson } from "./send-json.js";

/** What a reply was told to send, and its headers. */
async function sent(value: unknown) {
  const headers: Record<string, unknown> = {};
  let payload: unknown;
  const reply = {
    type: (type: string) => Object.assign(headers, { "content-type": type }),
    header: (name: string, value: unknown) => {
      headers[name] = value;
      return reply;
    },
    send: (given: unknown) => {
      payload = given;
      return reply;
    },
  };
  await sendJson(reply as unknown as FastifyReply, value);
  return { headers, payload };
}

it("sends a short answer as one text", async () => {
  const { headers, payload } = await sent({ id: "a", data: [1, 2] });
  expect(payload).toBe('{"id":"a","data":[1,2]}');
  expect(headers).toEqual({ "content-type": "application/json; charset=utf-8" });
});

it("sends a long one in pieces, none much longer than 256 KiB", async () => {
  const answer = {
    data: Array.from({ length: 400 }, () => ({ embedding: Array.from({ length: 1024 }, Math.random) })),
  };
  const { headers, payload } = await sent(answer);
  const pieces: Buffer[] = await (payload as Readable).toArray();
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(1024 * 1024);
  expect(pieces.length).toBeGreaterThan(8);
  const bytes = Buffer.concat(pieces);
  expect(bytes.toString()).toBe(JSON.stringify(answer));
  expect(headers).toEqual({ "content-type": "application/json; charset=utf-8" });
});

it("makes no more of a long one than its reader takes", async () => {
  let made = 0;
  const data = madeList(function* () {
    for (; made < 10_000; made++) yield "x".repeat(1024);
  });
  const { payload } = await sent({ data });
  const reader = (payload as Readable).iterator();
  await reader.next();
  await new Promise(setImmediate);
  expect(made).toBeLessThan(1200);
  let bytes = 0;
  for await (const piece of reader) bytes += piece.length;
  expect(bytes).toBeGreaterThan(9_000_000);
});
