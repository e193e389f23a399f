import type { PeerCertificate } from "node:tls";
import { InterceptingCall, type Interceptor, type StatusObject, status } from "@grpc/grpc-js";
import { RhoneError } from "../errors/rhone-error.js";
import { type Expected, nameOfExpected, type Security } from "../security/security.js";
import { toGrpcStatus } from "./error-status.js";

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
