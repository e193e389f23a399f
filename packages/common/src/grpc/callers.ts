import type { Socket } from "node:net";
import type { PeerCertificate } from "node:tls";
import { RhoneError } from "../errors/rhone-error.js";
import { Connections } from "../observability/most-connections.js";
import { nameOf, peerOfCertificate } from "../security/peer.js";
import type { Security } from "../security/security.js";
import { connectionOf } from "./connection-of.js";

const MiB = 2 ** 20;

/** What the callers of one server may have at a time. */
export interface CallerLimits {
  /** Connections of callers that have not shown yet who they are. */
  readonly strangers: number;
  /** Longest time without a call that is admitted; then the connection ends. */
  readonly knownWithinMs: number;
  /** Calls, and bytes, of a connection of which none is admitted; then it ends. */
  readonly strangersCalls: number;
  readonly strangersBytes: number;
  /** Connections of one member. Those without certificates are one. */
  readonly connections: number;
  /** Bytes of requests that one member's open calls may have sent in part. */
  readonly unreadBytes: number;
}

/** A worker has four connections to a coordinator; a frame has at most 64 MiB. */
const LIMITS: CallerLimits = {
  strangers: 256,
  knownWithinMs: 10_000,
  strangersCalls: 16,
  strangersBytes: 64 * 2 ** 10,
  connections: 256,
  unreadBytes: 512 * MiB,
};

/** How often connections of strangers are looked at. */
const LOOK_MS = 50;

/** A server's side of a call. */
interface Call {
  getPeer(): string;
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate };
}

interface Caller {
  readonly sockets: Set<Socket>;
  unreadBytes: number;
}

interface Connection {
  readonly socket: Socket;
  /** Until its first call that is admitted. */
  stranger: NodeJS.Timeout | null;
  /** Those of a stranger. */
  calls: number;
  certificate: PeerCertificate | undefined;
}

/** Ends what an admitted call holds. */
type Release = () => void;

/**
 * The connections to a server: what they may cost before their callers are known, and what each member's may cost
 * afterwards. Once a member's key is revoked, its connections end at once, with all calls.
 */
export class Callers {
  readonly #limits: CallerLimits;
  readonly #strangers = new Connections();
  /** By address and port. */
  readonly #connections = new Map<string, Connection>();
  /** By the name in the certificate; "": without certificates. */
  readonly #callers = new Map<string, Caller>();
  readonly #unwatch: () => void;

  constructor(security: Security, limits: Partial<CallerLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
    this.#unwatch = security.onRevoked(() => {
      for (const { socket, certificate } of this.#connections.values()) {
        if (security.isRevoked(certificate)) socket.destroy();
      }
    });
  }

  /** Takes a new connection. */
  follow(socket: Socket): void {
    const from = `${socket.remoteAddress}:${socket.remotePort}`;
    const { strangers, strangersBytes, knownWithinMs } = this.#limits;
    const endsAt = performance.now() + knownWithinMs;
    const look = (): void => {
      if (socket.bytesRead > strangersBytes || performance.now() >= endsAt) socket.destroy();
    };
    const stranger = setInterval(look, Math.min(LOOK_MS, knownWithinMs)).unref();
    this.#connections.set(from, { socket, stranger, calls: 0, certificate: undefined });
    this.#strangers.add(socket);
    if (this.#strangers.size > strangers) this.#strangers.oldestOfMost()?.destroy();
    socket.once("close", () => {
      clearInterval(stranger);
      this.#strangers.remove(socket);
      this.#connections.delete(from);
    });
  }

  /** Takes note of a call, whose caller may be unknown. False: its connection had too many of these, and ends. */
  hear(call: Call): boolean {
    const connection = this.#connections.get(call.getPeer());
    if (connection?.stranger == null || ++connection.calls <= this.#limits.strangersCalls) return true;
    // What is left of the bytes that were read with the call would be worked on first.
    connectionOf(call)?.destroy();
    connection.socket.destroy();
    return false;
  }

  /**
   * Takes a call of a member, whose messages have at most `mostBytes`. Returns what is to be called at its end. Throws
   * RATE_LIMIT_EXCEEDED for a member that has too much open.
   */
  admit(call: Call, mostBytes: number): Release {
    const { sslPeerCertificate: certificate } = call.getAuthContext();
    const peer = peerOfCertificate(certificate);
    const name = peer === null ? "" : nameOf(peer);
    const caller = this.#callers.get(name) ?? { sockets: new Set(), unreadBytes: 0 };
    const connection = this.#connections.get(call.getPeer());
    const who = peer === null ? "All callers of this process together" : `The ${name}`;
    const { connections, unreadBytes } = this.#limits;
    if (connection?.stranger != null && caller.sockets.size >= connections) {
      throw new RhoneError("RATE_LIMIT_EXCEEDED", `${who} may have ${connections} connections to it.`);
    }
    if (caller.unreadBytes + mostBytes > unreadBytes) {
      const calls = `${who} may have ${unreadBytes / MiB} MiB of requests on their way`;
      throw new RhoneError("RATE_LIMIT_EXCEEDED", `${calls}; this call may send messages of ${mostBytes} bytes.`);
    }
    this.#callers.set(name, caller);
    caller.unreadBytes += mostBytes;
    if (connection?.stranger != null) this.#know(connection, { name, caller, certificate });
    return () => {
      caller.unreadBytes -= mostBytes;
      this.#forget(name, caller);
    };
  }

  /** Ends all connections. */
  close(): void {
    this.#unwatch();
    for (const { socket } of this.#connections.values()) socket.destroy();
  }

  #know(
    connection: Connection,
    { name, caller, certificate }: { name: string; caller: Caller; certificate: PeerCertificate | undefined },
  ): void {
    const { socket } = connection;
    clearInterval(connection.stranger ?? undefined);
    connection.stranger = null;
    connection.certificate = certificate;
    this.#strangers.remove(socket);
    caller.sockets.add(socket);
    socket.once("close", () => {
      caller.sockets.delete(socket);
      this.#forget(name, caller);
    });
  }

  #forget(name: string, caller: Caller): void {
    if (caller.sockets.size === 0 && caller.unreadBytes === 0) this.#callers.delete(name);
  }
}
