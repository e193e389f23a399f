import type { ServerHttp2Session } from "node:http2";
import type { PeerCertificate } from "node:tls";
import { InterceptingCall, type Interceptor, type StatusObject, status } from "@grpc/grpc-js";
import { RhoneError } from "../errors/rhone-error.js";
import { type Expected, nameOfExpected, type Security } from "../security/security.js";
import { connectionOf } from "./connection-of.js";
import { toGrpcStatus } from "./error-status.js";

// What a key's revocation does to connections that are open. New ones are refused by `Security`.

/** The connections of a server's callers. Once a caller's key is revoked, they end at once, with all calls. */
export class CallerConnections {
  readonly #certificates = new Map<ServerHttp2Session, PeerCertificate>();
  readonly #unwatch: () => void;

  constructor(security: Security) {
    this.#unwatch = security.onRevoked(() => {
      for (const [session, certificate] of this.#certificates) if (security.isRevoked(certificate)) session.destroy();
    });
  }

  /** Takes a call that was admitted. */
  note(call: { getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate } }): void {
    const session = connectionOf(call);
    if (session === undefined || this.#certificates.has(session)) return;
    const certificate = call.getAuthContext().sslPeerCertificate;
    if (certificate === undefined) return;
    this.#certificates.set(session, certificate);
    session.once("close", () => this.#certificates.delete(session));
  }

  close(): void {
    this.#unwatch();
  }
}

/**
 * The calls of a client: when the key of its server is revoked, they end with PERMISSION_DENIED, and nothing more is
 * sent on that connection: each further call ends with FORBIDDEN_PEER until another server answers.
 */
export class ServerWatch {
  readonly #security: Security;
  readonly #expected: Expected;
  readonly #isConnected: () => boolean;
  readonly #calls = new Set<InterceptingCall>();
  readonly #unwatch: () => void;
  #server: PeerCertificate | undefined;

  /** `isConnected`: whether there is a connection that a call would use. */
  constructor(security: Security, expected: Expected, isConnected: () => boolean) {
    this.#security = security;
    this.#isConnected = isConnected;
    this.#expected = expected;
    this.#unwatch = security.onRevoked(() => {
      if (!this.#isRevoked()) return;
      for (const call of this.#calls) call.cancelWithStatus(status.PERMISSION_DENIED, this.#why());
    });
  }

  /** Why the server of a new connection is not the expected one; undefined: it is. */
  check(certificate: PeerCertificate): Error | undefined {
    const problem = this.#security.notServer(certificate, this.#expected);
    if (problem === undefined) this.#server = certificate;
    return problem;
  }

  readonly interceptor: Interceptor = (options, nextCall) => {
    const call: InterceptingCall = new InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => {
        if (this.#isRevoked() && this.#isConnected()) {
          const refusal = toGrpcStatus(new RhoneError("FORBIDDEN_PEER", this.#why()));
          process.nextTick(() => listener.onReceiveStatus(refusal));
          return;
        }
        this.#calls.add(call);
        next(metadata, {
          onReceiveStatus: (ended: StatusObject, pass) => {
            this.#calls.delete(call);
            pass(ended);
          },
        });
      },
    });
    return call;
  };

  close(): void {
    this.#unwatch();
  }

  #isRevoked(): boolean {
    return this.#server !== undefined && this.#security.isRevoked(this.#server);
  }

  #why(): string {
    return `${nameOfExpected(this.#expected)} was expelled from the cluster.`;
  }
}
