import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { jsonParts } from "../write-in-turns.js";

/** A longer answer is sent in pieces of about this many characters. */
const PIECE = 256 * 1024;

/**
 * Sends plain objects and lists as JSON, which is written in turns of the event loop. A long answer goes out in pieces,
 * as one turn would join, encode and send it otherwise: 2,048 embeddings of 4,096 numbers have 170 MB.
 */
export async function sendJson(reply: FastifyReply, value: unknown): Promise<FastifyReply> {
  reply.type("application/json; charset=utf-8");
  const pieces: Buffer[] = [];
  let text = "";
  for await (const part of jsonParts(value)) {
    text += part;
    if (text.length < PIECE) continue;
    pieces.push(Buffer.from(text));
    text = "";
  }
  if (pieces.length === 0) return reply.send(text);
  pieces.push(Buffer.from(text));
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  return reply.header("content-length", bytes).send(Readable.from(pieces, { objectMode: false }));
}
