import type { ServerResponse } from "node:http";
import { type LiveHello, toRhoneError, VERSION } from "@rhone/common";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { SSE_HEADERS } from "../../answers/stream-lines.js";
import type { LiveFeed, LiveReader } from "../../live/live-feed.js";
import type { ServedModels } from "../../models/served-models.js";
import type { Readers } from "../readers.js";

export interface LiveUse {
  readonly feed: Pick<LiveFeed, "follow" | "hello" | "tick">;
  readonly liveReaders: Readers;
  readonly models: Pick<ServedModels, "namesAmong">;
  /** null: no API keys are required. */
  readonly keyRing: unknown;
  /** Where machines join; undefined: not known. */
  readonly joinAddress: string | undefined;
  /** A client that reads nothing for this long loses its connection. */
  readonly sendTimeoutMs: number;
}

/** How often a reader's credentials are looked at again: a stream must not outlive its key. */
const RECHECK_MS = 10_000;

/**
 * GET /status/stream: server-sent events of the cluster's state. `hello` comes first, then a `tick` each second. A
 * client that reads slowly misses ticks, but no event of the log and no request.
 */
export function live(app: FastifyInstance, uses: LiveUse): void {
  const startedAtMs = Date.now();
  const open = new Set<ServerResponse>();
  // It has no end that a stopping gateway could wait for.
  app.addHook("preClose", async () => {
    for (const raw of open) raw.end();
  });
  app.get("/status/stream", async (request, reply) => {
    const reader = await readerOf(request);
    if (request.method === "HEAD") return reply.headers(SSE_HEADERS).send();
    return uses.liveReaders.admit({ stream: "/status/stream", owner: reader.owner }, async () => {
      const models = uses.models.namesAmong([]);
      const { hello, at } = uses.feed.hello(reader);
      const { owner: name, seesInside, isAdmin } = reader;
      const joinAddress = (seesInside && uses.joinAddress) || null;
      const gateway = { version: VERSION, startedAtMs, models, requiresKeys: uses.keyRing !== null, joinAddress };
      const first: LiveHello = { gateway, caller: { name, seesInside, isAdmin }, ...hello };
      const { raw } = reply.hijack();
      const headers = { ...(reply.getHeaders() as Record<string, string>), ...SSE_HEADERS, connection: "close" };
      raw.writeHead(200, headers);
      raw.write(event("hello", JSON.stringify(first)));
      open.add(raw);
      let seen = at;
      const tell = (): void => {
        // It reads slower than the cluster changes: its next tick has what this one would have had.
        if (raw.destroyed || raw.writableNeedDrain) return;
        const tick = uses.feed.tick(reader, seen);
        seen = tick.at;
        raw.write(event("tick", tick.json));
      };
      tell();
      const unfollow = uses.feed.follow(tell);
      const check = async (): Promise<void> => {
        if (await hasLostKey(request)) raw.end();
      };
      const checking = setInterval(() => void check(), RECHECK_MS);
      raw.socket?.setTimeout(uses.sendTimeoutMs, () => raw.destroy());
      await new Promise<void>((resolve) => raw.once("close", resolve));
      clearInterval(checking);
      unfollow();
      open.delete(raw);
      return reply;
    });
  });
}

async function readerOf(request: FastifyRequest): Promise<LiveReader> {
  const { owner } = request.caller;
  return { owner, isAdmin: request.mayAdminister, seesInside: await request.maySeeInside() };
}

/** Whether its key was revoked; not known, and so not the case, while Redis does not answer. */
const hasLostKey = (request: FastifyRequest): Promise<boolean> =>
  request.maySeeInside().then(
    () => false,
    (error: unknown) => toRhoneError(error).code !== "REDIS_UNAVAILABLE",
  );

const event = (name: string, json: string): string => `event: ${name}\ndata: ${json}\n\n`;
