import { type AddressInfo, connect, type Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import {
  endRevoked,
  keepToConnections,
  type ListenAddress,
  listenOrExplain,
  RhoneError,
  type Role,
  type Security,
} from "@rhone/common";
import { type Log, sparingly } from "@rhone/identity";

export interface RedisRelayOptions extends ListenAddress {
  /** A coordinator's, as its clients expect. Borrowed. */
  readonly security: Security;
  /** Of the private Redis, on this machine: `unix://path`, or `redis://:password@host:port`. */
  readonly redisUrl: string;
  readonly logger: Pick<Log, "warn">;
}

/** Who uses Redis. Workers do not. */
const CLIENTS: readonly Role[] = ["gateway", "coordinator"];
/** A gateway has about 5, a coordinator 8. */
const MOST_CONNECTIONS = 1024;
const HANDSHAKE_MS = 5000;
const REDIS_MS = 5000;
/** A machine that lost its power is noticed, and its connections are ended. */
const KEEP_ALIVE_MS = 15_000;

/**
 * The private Redis of a cluster, for gateways and coordinators on other machines: a TLS server that passes bytes on.
 * Redis itself listens on this machine alone, and its password stays here: a certificate is what lets a client in.
 */
export class RedisRelay {
  readonly port: number;
  readonly #server: Server;
  readonly #options: RedisRelayOptions;
  readonly #clients = new Set<TLSSocket>();
  readonly #refused: (fields: object, message: string) => void;
  readonly #unwatch: () => void;

  private constructor(server: Server, options: RedisRelayOptions) {
    this.#server = server;
    this.#options = options;
    this.#refused = sparingly(options.logger);
    this.#unwatch = endRevoked(server, options.security);
    this.port = (server.address() as AddressInfo).port;
    server.on("secureConnection", (client) => this.#admit(client));
  }

  /** Throws PORT_IN_USE, and INVALID_CONFIG without TLS. */
  static async open(options: RedisRelayOptions): Promise<RedisRelay> {
    const { identity } = options.security;
    if (identity === null) throw new RhoneError("INVALID_CONFIG", "Redis is not passed on without TLS.");
    const server = createServer({
      ...identity.context,
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_MS,
    });
    keepToConnections(server, MOST_CONNECTIONS);
    identity.onChange(() => server.setSecureContext(identity.context));
    await listenOrExplain(server, options);
    return new RedisRelay(server, options);
  }

  /** Ends open connections too. */
  async close(): Promise<void> {
    this.#unwatch();
    for (const client of this.#clients) client.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #admit(client: TLSSocket): void {
    const { security, redisUrl } = this.#options;
    client.on("error", () => client.destroy());
    const refusal = security.whyNotPeer(client.getPeerCertificate(), CLIENTS);
    if (refusal !== null) {
      this.#refused({ reason: refusal, from: client.remoteAddress }, "Redis was refused");
      client.destroy();
      return;
    }
    this.#clients.add(client);
    client.once("close", () => this.#clients.delete(client));
    client.setNoDelay(true);
    client.setKeepAlive(true, KEEP_ALIVE_MS);
    const redis = connectTo(redisUrl, (error) => {
      if (error === null) client.pipe(redis).pipe(client);
      else client.destroy();
    });
    client.once("close", () => redis.destroy());
    redis.once("close", () => client.destroy());
  }
}

/** Calls `done` once it may be used, or can't be. Nothing that Redis sends is read before that. */
function connectTo(url: string, done: (error: Error | null) => void): Socket {
  const { path, host, port, password } = placeOf(url);
  const socket = path === undefined ? connect({ host, port }) : connect({ path });
  socket.setNoDelay(true);
  let isOver = false;
  const end = (error: Error | null): void => {
    if (isOver) return;
    isOver = true;
    socket.setTimeout(0);
    if (error !== null) socket.destroy();
    done(error);
  };
  socket.on("error", end);
  socket.once("close", () => end(new Error("Redis closed the connection")));
  socket.setTimeout(REDIS_MS, () => end(new Error(`Redis has not answered within ${REDIS_MS / 1000} s`)));
  socket.once("connect", () => {
    if (password === "") return end(null);
    socket.write(`*2\r\n$4\r\nAUTH\r\n$${Buffer.byteLength(password)}\r\n${password}\r\n`);
    // Redis sends nothing but the answer until the client asks something.
    socket.once("data", (answer) => end(answer.toString() === "+OK\r\n" ? null : new Error("Redis takes no password")));
  });
  return socket;
}

interface Place {
  readonly path: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly password: string;
}

function placeOf(url: string): Place {
  if (url.startsWith("unix://")) return { path: url.slice("unix://".length), host: "", port: 0, password: "" };
  const { hostname, port, password } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return { path: undefined, host, port: Number(port || 6379), password: decodeURIComponent(password) };
}
