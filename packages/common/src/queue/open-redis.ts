import { Redis } from "ioredis";
import { withoutPassword } from "../config/schemas.js";
import { RhoneError } from "../errors/rhone-error.js";

export interface OpenRedisOptions {
  readonly url: string;
  /** Shown by CLIENT LIST. */
  readonly name: string;
  /**
   * Whether commands wait for Redis to come back, as BullMQ's consumers must; otherwise they fail after 3 tries, or
   * when Redis takes them and answers nothing for 20 s.
   */
  readonly waits: boolean;
  readonly onError: (error: Error) => void;
}

/** Longer than a Redis that hangs takes to be replaced; a command that nobody answers fails then. */
const COMMAND_DEADLINE_MS = 20_000;

/**
 * Connects to Redis; resolves when it has answered a PING. A connection lost later is opened again, with tries 0.1 to
 * 2 s apart. `unix:///path` names a socket. Throws REDIS_UNAVAILABLE when Redis does not answer within 10 s.
 */
export async function openRedis({ url, name, waits, onError }: OpenRedisOptions): Promise<Redis> {
  const options = {
    connectionName: name,
    maxRetriesPerRequest: waits ? null : 3,
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), 2000),
    connectTimeout: 5000,
    lazyConnect: true,
    ...(!waits && { commandTimeout: COMMAND_DEADLINE_MS }),
  };
  const socket = url.startsWith("unix://") ? url.slice("unix://".length) : undefined;
  const redis = socket === undefined ? new Redis(url, options) : new Redis({ ...options, path: socket });
  redis.on("error", onError);
  // connect() itself rejects only with "Connection is closed."; the reason is in the event before.
  let reason: Error | undefined;
  const remember = (error: Error): void => {
    reason = error;
  };
  redis.on("error", remember);
  const timer = AbortSignal.timeout(10_000);
  const timedOut = new Promise<never>((_, reject) => {
    timer.addEventListener("abort", () => reject(new Error("no answer within 10 s")), { once: true });
  });
  try {
    await Promise.race([redis.connect().then(() => redis.ping()), timedOut]);
    return redis;
  } catch (error) {
    redis.disconnect();
    const cause = reason ?? (error as Error);
    throw new RhoneError("REDIS_UNAVAILABLE", `Cannot reach Redis at ${withoutPassword(url)}: ${cause.message}`, {
      cause,
    });
  } finally {
    redis.off("error", remember);
  }
}

/** Throws REDIS_UNAVAILABLE for a command that failed: `redis.get(key).catch(redisUnavailable)`. */
export function redisUnavailable(cause: unknown): never {
  throw new RhoneError("REDIS_UNAVAILABLE", "Redis can't be reached; try again shortly.", { cause });
}
