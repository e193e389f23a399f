import type { FastifyInstance } from "fastify";
import { SSE_HEADERS } from "../../answers/stream-lines.js";
import { parsePosition } from "../../answers/stream-position.js";
import type { StreamRecords } from "../../answers/stream-records.js";
import { type Following, resumeStream } from "../follow.js";
import { leavingOf } from "../leaving.js";
import { StreamCancels } from "../stream-cancels.js";

interface StreamRoute {
  readonly Params: { readonly id: string };
  readonly Headers: { readonly "last-event-id"?: string };
}

export interface StreamsUse extends Following {
  readonly streams: Pick<StreamRecords, "head" | "load">;
}

/** GET /v1/streams/:id sends a streamed answer again, from behind Last-Event-ID; DELETE ends its generation. */
export function streams(app: FastifyInstance, uses: StreamsUse): void {
  const cancels = new StreamCancels(uses);
  app.get<StreamRoute>("/v1/streams/:id", async ({ method, params: { id }, headers, caller: { owner } }, reply) => {
    const reader = { owner, leaving: leavingOf(reply) };
    const { choices } = await uses.streams.head(id, reader);
    const seen = headers["last-event-id"];
    const after = seen === undefined || seen === "" ? undefined : parsePosition(seen, choices);
    // Its client would wait for the end of a generation of which it gets nothing.
    if (method === "HEAD") return reply.headers(SSE_HEADERS).send();
    return uses.readers.admit({ stream: id, owner }, async () => {
      const record = await uses.streams.load(id, reader);
      return resumeStream(uses, reply, { record, after });
    });
  });
  app.delete<StreamRoute>("/v1/streams/:id", async ({ params: { id }, caller: { owner } }, reply) => {
    await cancels.cancel(id, { owner, leaving: leavingOf(reply) });
    return { id, object: "stream", cancelled: true };
  });
}
