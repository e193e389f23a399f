import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";

/**
 * Answers with a text that is still being made, at the client's pace: each part is one write, there and then. Headers that the
 * reply has already go along. Ends early when the client leaves. `parts` is closed whatever happens; it must not throw.
 */
export async function sendText(
  reply: FastifyReply,
  headers: Readonly<Record<string, string>>,
  parts: AsyncGenerator<string, void, undefined>,
): Promise<void> {
  const { raw } = reply.hijack();
  raw.writeHead(200, { ...reply.getHeaders(), ...headers } as OutgoingHttpHeaders);
  for await (const part of parts) {
    if (raw.destroyed) return;
    if (!raw.write(part)) await hasRoom(raw);
  }
  raw.end();
}

function hasRoom(raw: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      raw.off("drain", done).off("close", done);
      resolve();
    };
    raw.on("drain", done).on("close", done);
    if (raw.destroyed) done();
  });
}
