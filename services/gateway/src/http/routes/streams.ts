import type { FastifyInstance } from "fastify";
import { parsePosition } from "../../answers/stream-position.js";
import type { StreamRecords } from "../../answers/stream-records.js";
import { type Following, resumeStream } from "../follow.js";

interface StreamRoute {
  readonly Params: { readonly id: string };
  readonly Headers: { readonly "last-event-id"?: string };
}

export interface StreamsUse extends Following {
  readonly streams: Pick<StreamRecords, "load">;
}

/** GET /v1/streams/:id sends a streamed answer again, from behind Last-Event-ID; DELETE ends its generation. */
export function streams(app: FastifyInstance, uses: StreamsUse): void {
  app.get<StreamRoute>("/v1/streams/:id", async ({ params, headers, caller }, reply) => {
    const record = await uses.streams.load(params.id, caller.owner);
    const seen = headers["last-event-id"];
    const after = seen === undefined || seen === "" ? undefined : parsePosition(seen, record.jobs.length);
    return resumeStream(uses, reply, { record, after });
  });
  app.delete<StreamRoute>("/v1/streams/:id", async ({ params, caller }) => {
    const { jobs } = await uses.streams.load(params.id, caller.owner);
    await Promise.all(jobs.map((job) => uses.client.cancel({ ...job, keyId: caller.owner })));
    return { id: params.id, object: "stream", cancelled: true };
  });
}
