import type { FastifyInstance } from "fastify";
import { jsonInTurns } from "../write-in-turns.js";

/** Writes the JSON of every answer in turns: a list of 10,000 files or a million token ids takes longer than one. */
export function writeJsonInTurns(app: FastifyInstance): void {
  app.addHook("preSerialization", async (_request, reply, payload) => {
    const text = await jsonInTurns(payload);
    reply.serializer(() => text);
    return payload;
  });
}
