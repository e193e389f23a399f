import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { jsonParts } from "../write-in-turns.js";

/** A longer answer is sent in pieces of about this many characters. */
const PIECE = 256 * 1024;

/**
 * Sends plain objects and lists as JSON, which is written in turns of the event loop. A long answer goes out in pieces,
 * each written when the client has taken those before it: 2,048 embeddings of 4,096 numbers have 170 MB, and 4,096
 * tokens with 20 log-probabilities 6 MB.
 */
export async function sendJson(reply: FastifyReply, value: unknown): Promise<FastifyReply> {
  reply.type("application/json; charset=utf-8");
  const pieces = piecesOf(value);
  const { value: first = "", done } = await pieces.next();
  if (done === true || first.length < PIECE) return reply.send(first);
  return reply.send(Readable.from(bytesOf(first, pieces), { objectMode: false }));
}

/** The last piece is shorter than the others, perhaps empty. */
async function* piecesOf(value: unknown): AsyncGenerator<string, void, undefined> {
  let text = "";
  for await (const part of jsonParts(value)) {
    text += part;
    if (text.length < PIECE) continue;
    yield text;
    text = "";
  }
  yield text;
}

async function* bytesOf(first: string, others: AsyncIterable<string>): AsyncGenerator<Buffer, void, undefined> {
  yield Buffer.from(first);
  for await (const piece of others) yield Buffer.from(piece);
}

/** The same JSON in pieces, for an answer that has begun. */
export async function* jsonBytes(value: unknown): AsyncGenerator<Buffer, void, undefined> {
  for await (const piece of piecesOf(value)) yield Buffer.from(piece);
}
