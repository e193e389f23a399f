import { readFileSync } from "node:fs";
import type { PeerCertificate } from "node:tls";
import { Redis } from "ioredis";
import { z } from "zod";
import type { ConfigOf, Settings } from "../config/load-config.js";
import { withoutPassword } from "../config/schemas.js";
import { RhoneError } from "../errors/rhone-error.js";
import { openSecurity, type Security } from "../security/security.js";
import type { SecurityConfig } from "../security/security-settings.js";

const path = z.string().min(1).optional();

/** Files that a connection to Redis takes, as settings of the processes that have one. */
export const redisFileSettings = {
  redisPasswordFile: {
    env: "RHONE_REDIS_PASSWORD_FILE",
    schema: path,
    doc: "File with the password of Redis, in place of one in the URL, which others may see in the environment.",
  },
  redisCa: { env: "RHONE_REDIS_CA", schema: path, doc: "PEM file of the authority of a rediss:// server." },
  redisCert: { env: "RHONE_REDIS_CERT", schema: path, doc: "PEM file of a certificate to show to a rediss:// server." },
  redisKey: { env: "RHONE_REDIS_KEY", schema: path, doc: "PEM file of the private key of --redis-cert." },
} as const satisfies Settings;

/** The files of a process, and of its identity, which a rhone:// URL needs. */
type RedisFiles = Partial<ConfigOf<typeof redisFileSettings> & SecurityConfig>;

export interface OpenRedisOptions {
  readonly url: string;
  readonly files?: RedisFiles;
  /** Shown by CLIENT LIST. */
  readonly name: string;
  /**
   * Whether commands wait for Redis to come back, as BullMQ's consumers must; otherwise they fail after 10 tries, 4 to
   * 6 s, in which a Redis that is restarted is back, or when Redis takes them and answers nothing for 20 s.
   */
  readonly waits: boolean;
  readonly onError: (error: Error) => void;
}

/** Longer than a Redis that hangs takes to be replaced; a command that nobody answers fails then. */
const COMMAND_DEADLINE_MS = 20_000;
/** Connections that are tried before the commands that wait fail. */
const TRIES = 10;

/**
 * Connects to Redis; resolves when it has answered a PING. A connection lost later is opened again, with tries 0.1 to
 * 0.5 s apart. `unix:///path` names a socket, `rhone://host:port` a cluster's private Redis at the machine that made
 * the cluster. Throws INVALID_CONFIG for files that can't be used, and REDIS_UNAVAILABLE when Redis does not answer
 * within 10 s.
 */
export async function openRedis({ url, files = {}, name, waits, onError }: OpenRedisOptions): Promise<Redis> {
  const security = url.startsWith(CLUSTER_SCHEME) ? openSecurity(securityIn(url, files)) : null;
  const { redisPasswordFile } = files;
  const own = redisPasswordFile === undefined ? {} : { password: contentOf(redisPasswordFile).trim() };
  const options = {
    ...(security === null ? tlsOf(url, files) : tlsOfCluster(security)),
    connectionName: name,
    maxRetriesPerRequest: waits ? null : TRIES,
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), 500),
    connectTimeout: 5000,
    lazyConnect: true,
    ...(!waits && { commandTimeout: COMMAND_DEADLINE_MS }),
  };
  const socket = url.startsWith("unix://") ? url.slice("unix://".length) : undefined;
  const redis =
    socket !== undefined
      ? new Redis({ ...options, ...own, path: socket })
      : new Redis(withPassword(url.replace(CLUSTER_SCHEME, "rediss://"), own), options);
  redis.on("error", onError);
  redis.once("end", () => security?.close());
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

/** ioredis takes the URL's password, the empty one too, before the one of its options. */
function withPassword(url: string, { password }: { readonly password?: string }): string {
  if (password === undefined) return url;
  const complete = new URL(url);
  complete.password = encodeURIComponent(password);
  return complete.href;
}

interface Tls {
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/** Throws INVALID_CONFIG. */
function tlsOf(url: string, { redisCa, redisCert, redisKey }: RedisFiles): Tls {
  const tlsFiles = [redisCa, redisCert, redisKey];
  if (tlsFiles.some((file) => file !== undefined) && !url.startsWith("rediss://")) {
    const problem = "RHONE_REDIS_CA, RHONE_REDIS_CERT and RHONE_REDIS_KEY are for a rediss:// URL";
    throw new RhoneError("INVALID_CONFIG", `${problem}; this one is ${withoutPassword(url)}.`);
  }
  if ((redisCert === undefined) !== (redisKey === undefined)) {
    throw new RhoneError("INVALID_CONFIG", "RHONE_REDIS_CERT and RHONE_REDIS_KEY go together: set both.");
  }
  const [ca, cert, key] = tlsFiles.map((file) => (file === undefined ? undefined : contentOf(file)));
  if (ca === undefined && cert === undefined) return {};
  return { tls: { ...(ca !== undefined && { ca }), ...(cert !== undefined && key !== undefined && { cert, key }) } };
}

const CLUSTER_SCHEME = "rhone://";

/** Throws INVALID_CONFIG. */
function securityIn(url: string, files: RedisFiles): SecurityConfig {
  const { redisPasswordFile, redisCa, redisCert, redisKey, tlsCa, tlsCert, tlsKey, tlsRevoked } = files;
  if ([redisPasswordFile, redisCa, redisCert, redisKey].some((file) => file !== undefined)) {
    throw new RhoneError("INVALID_CONFIG", `RHONE_REDIS_* are not for ${url}, which takes RHONE_TLS_* alone.`);
  }
  if (tlsCa === undefined) {
    throw new RhoneError("INVALID_CONFIG", `The Redis ${url} needs RHONE_TLS_CA, RHONE_TLS_CERT and RHONE_TLS_KEY.`);
  }
  return { tlsCa, tlsCert, tlsKey, tlsRevoked, clusterSecretFile: undefined, allowPlaintext: false };
}

/**
 * At the other end is the supervisor of the cluster's first machine, which knows this process by its certificate. Each
 * connection begins with the files of that moment.
 */
function tlsOfCluster(security: Security) {
  const context = () => security.identity?.context;
  return {
    tls: {
      get ca() {
        return context()?.ca;
      },
      get cert() {
        return context()?.cert;
      },
      get key() {
        return context()?.key;
      },
      minVersion: "TLSv1.3" as const,
      checkServerIdentity: (_: string, certificate: PeerCertificate) =>
        security.notServer(certificate, { role: "coordinator" }),
    },
  };
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new RhoneError("INVALID_CONFIG", `${file} can't be read: ${(cause as Error).message}`, { cause });
  }
}

/** Throws REDIS_UNAVAILABLE for a command that failed: `redis.get(key).catch(redisUnavailable)`. */
export function redisUnavailable(cause: unknown): never {
  throw new RhoneError("REDIS_UNAVAILABLE", "Redis can't be reached; try again shortly.", { cause });
}

/** As long as ten tries to connect take. */
const LOOK_MS = 5000;

/**
 * What `asked` resolves with, for somebody who only looks at what Redis knows: work waits until a Redis that hangs is
 * replaced, a look is better told that it does. Throws REDIS_UNAVAILABLE after 5 s.
 */
export async function withinLook<T>(asked: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `Redis has not answered for ${LOOK_MS / 1000} s; try again shortly.`;
    timer = setTimeout(() => reject(new RhoneError("REDIS_UNAVAILABLE", message)), LOOK_MS);
  });
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}
