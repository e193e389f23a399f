import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { type PeerCertificate, TLSSocket } from "node:tls";
import type { Metadata } from "@grpc/grpc-js";
import { RhoneError } from "../errors/rhone-error.js";
import { Identity } from "./identity.js";
import { nameOf, type Peer, peerOfCertificate, type Role } from "./peer.js";
import { RevokedKeys } from "./revoked-keys.js";
import { isLoopback, type SecurityConfig } from "./security-settings.js";

/** Metadata of a gRPC call, and header of a request to an operations port, that carries the cluster's secret. */
export const SECRET_HEADER = "x-rhone-secret";

/** Who a client means to reach; any process of the role without a name. */
export interface Expected {
  readonly role: Role;
  readonly name?: string | undefined;
}

interface Method {
  readonly path: string;
  /** The roles that may call it. */
  readonly callers: readonly Role[];
}

/** A server's side of a call, or a client's. */
interface Call {
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate } | null;
}

interface Log {
  warn(fields: object, message: string): void;
}

/** One refusal is logged in this time, with the number of all. */
const REFUSALS_EVERY_MS = 10_000;

interface Known {
  readonly identity: Identity | null;
  readonly secret: string | null;
  readonly revoked: RevokedKeys | null;
}

/**
 * How this process knows others and is known: by certificates, by the secret of its machine's cluster, or, where
 * plaintext is allowed and neither is given, not at all. One for each process or thread; the opener closes it.
 */
export class Security {
  /** To open it again in a thread. */
  readonly config: SecurityConfig;
  /** Null without TLS. */
  readonly identity: Identity | null;
  /** Null with TLS, and in plaintext without a secret. */
  readonly secret: string | null;
  readonly #revoked: RevokedKeys | null;
  readonly #log: Log | undefined;
  #refusals = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(config: SecurityConfig, { identity, secret, revoked }: Known, log?: Log) {
    this.config = config;
    this.identity = identity;
    this.secret = secret;
    this.#revoked = revoked;
    this.#log = log;
  }

  /** The name in this process's certificate; null without TLS. */
  get name(): string | null {
    return this.identity?.self.name ?? null;
  }

  /** Throws INVALID_CONFIG for a host that other machines reach, unless they have to show certificates. */
  checkExposure(host: string): void {
    if (this.identity !== null || this.config.allowPlaintext || isLoopback(host)) return;
    throw new RhoneError(
      "INVALID_CONFIG",
      `Other machines would reach this process at ${host}, without TLS. Let it join the cluster with \`rhone join\`, ` +
        "or set RHONE_TLS_CA, RHONE_TLS_CERT and RHONE_TLS_KEY. RHONE_ALLOW_PLAINTEXT=true goes without, for a " +
        "network that is private by other means.",
    );
  }

  /** Why a call is refused, a FORBIDDEN_PEER; null when it is not. It is logged, as one of many at most. */
  refusalOf(call: Call, metadata: Metadata, { path, callers }: Method): RhoneError | null {
    const problem =
      this.identity === null
        ? this.#checkSecret(metadata.get(SECRET_HEADER)[0])
        : this.whyNotPeer(call.getAuthContext()?.sslPeerCertificate, callers);
    if (problem === null) return null;
    const refusal = new RhoneError("FORBIDDEN_PEER", `${path}: ${problem}`);
    this.#tell(refusal);
    return refusal;
  }

  /** Whether a request to an operations port may see what is for the cluster alone. */
  admits(request: IncomingMessage, callers: readonly Role[]): boolean {
    const { socket, headers } = request;
    if (this.identity === null) return this.#checkSecret(headers[SECRET_HEADER]) === null;
    if (!(socket instanceof TLSSocket) || !socket.authorized) return false;
    return this.whyNotPeer(socket.getPeerCertificate(), callers) === null;
  }

  /** Why the process with this certificate, which TLS has verified, is none of these roles; null: it is one. */
  whyNotPeer(certificate: PeerCertificate | undefined, roles: readonly Role[]): string | null {
    if (this.identity === null) return null;
    const peer = peerOfCertificate(certificate);
    const problem = notCaller(peer, roles, this.identity.self);
    if (problem !== null || peer === null) return problem;
    return this.isRevoked(certificate) ? `the caller, ${nameOf(peer)}, was expelled from the cluster.` : null;
  }

  /** Why a server with this certificate is not the expected one; undefined: it is. */
  notServer(certificate: PeerCertificate, expected: Expected): Error | undefined {
    if (this.identity === null) return undefined;
    return notServer(certificate, expected, this.identity.self) ?? this.#expelled(certificate);
  }

  /** Whether the key of this certificate is believed no longer. */
  isRevoked(certificate: PeerCertificate | undefined): boolean {
    return this.#revoked?.has(certificate) ?? false;
  }

  /** Calls `changed` when further keys are believed no longer. Returns a function that ends it. */
  onRevoked(changed: () => void): () => void {
    return this.#revoked?.onChange(changed) ?? (() => {});
  }

  /** Why a server with this certificate is no process of this cluster, of any role; undefined when it is one. */
  notOfCluster(certificate: PeerCertificate): Error | undefined {
    const [own, cluster] = [this.identity?.self.cluster, peerOfCertificate(certificate)?.cluster];
    if (cluster === own) return this.#expelled(certificate);
    return new RhoneError("FORBIDDEN_PEER", `the server's certificate is of ${cluster ?? "no cluster"}, not of ${own}`);
  }

  close(): void {
    this.identity?.close();
    this.#revoked?.close();
  }

  #expelled(certificate: PeerCertificate): Error | undefined {
    if (!this.isRevoked(certificate)) return undefined;
    const peer = peerOfCertificate(certificate);
    const who = peer === null ? "the server" : nameOf(peer);
    return new RhoneError("FORBIDDEN_PEER", `${who} was expelled from the cluster`);
  }

  #checkSecret(shown: unknown): string | null {
    if (this.secret === null || isSecret(shown, this.secret)) return null;
    return `the caller does not know the secret in ${this.config.clusterSecretFile} on this machine.`;
  }

  #tell(refusal: RhoneError): void {
    this.#refusals++;
    const now = performance.now();
    if (now - this.#toldAt < REFUSALS_EVERY_MS) return;
    this.#toldAt = now;
    this.#log?.warn({ code: refusal.code, reason: refusal.message, refusals: this.#refusals }, "a caller was refused");
  }
}

/**
 * Reads the files that the settings name. Throws INVALID_CONFIG when one can't be used, and when nothing is set by
 * which processes know each other.
 */
export function openSecurity(config: SecurityConfig, log?: Log): Security {
  const { tlsCa: ca, tlsCert: cert, tlsKey: key, tlsRevoked, clusterSecretFile } = config;
  if (ca !== undefined && cert !== undefined && key !== undefined) {
    const onStale = ({ message }: RhoneError): void =>
      log?.warn({ reason: message }, "the new TLS files are not used; the process goes on with the former ones");
    const revoked = tlsRevoked === undefined ? null : RevokedKeys.open(tlsRevoked, onStale);
    return new Security(config, { identity: Identity.open({ ca, cert, key }, onStale), secret: null, revoked }, log);
  }
  if ([ca, cert, key, tlsRevoked].some((file) => file !== undefined)) {
    throw new RhoneError(
      "INVALID_CONFIG",
      "RHONE_TLS_CA, RHONE_TLS_CERT and RHONE_TLS_KEY go together: set all three. RHONE_TLS_REVOKED is beside them.",
    );
  }
  const secret = clusterSecretFile === undefined ? null : readSecret(clusterSecretFile);
  if (secret === null && !config.allowPlaintext) {
    throw new RhoneError(
      "INVALID_CONFIG",
      "The processes of a cluster must know each other. Set RHONE_CLUSTER_SECRET_FILE where all of them are on this " +
        "machine, or RHONE_TLS_CA, RHONE_TLS_CERT and RHONE_TLS_KEY. RHONE_ALLOW_PLAINTEXT=true goes without, for a " +
        "network that is private by other means.",
    );
  }
  if (config.allowPlaintext) {
    log?.warn(
      { secret: secret !== null },
      "plaintext is allowed: who reaches the network reads and forges what is sent",
    );
  }
  return new Security(config, { identity: null, secret, revoked: null }, log);
}

/** Shorter ones could be guessed. */
const SHORTEST_SECRET = 32;

/** Of the cluster, or of those who may read metrics. Throws INVALID_CONFIG. */
export function readSecret(path: string): string {
  const text = readSecretFile(path).trim();
  if (text.length >= SHORTEST_SECRET) return text;
  throw new RhoneError(
    "INVALID_CONFIG",
    `The secret in ${path} has ${text.length} characters; it needs at least ${SHORTEST_SECRET}.`,
  );
}

function readSecretFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const why = `The secret in ${path} can't be read: ${(cause as Error).message}`;
    throw new RhoneError("INVALID_CONFIG", why, { cause });
  }
}

const BEARER = /^Bearer +(\S+) *$/i;

/** What `Authorization: Bearer …` shows; undefined without it. */
export const bearerOf = ({ authorization = "" }: IncomingHttpHeaders): string | undefined =>
  BEARER.exec(authorization)?.[1];

/** Who is at the other end of a call; null where certificates don't tell. */
export const peerOf = (call: Call): Peer | null => peerOfCertificate(call.getAuthContext()?.sslPeerCertificate);

/**
 * Who calls, as `peerOf`. Throws FORBIDDEN_PEER unless it is of one of the roles; without certificates every caller is.
 */
export function requirePeer(call: Call, roles: readonly Role[]): Peer | null {
  const peer = peerOf(call);
  if (peer === null || roles.includes(peer.role)) return peer;
  throw new RhoneError("FORBIDDEN_PEER", notOneOf(peer, roles));
}

/** Why a server with this certificate is not the expected one; undefined: it is. */
export function notServer(certificate: PeerCertificate, expected: Expected, self: Peer): Error | undefined {
  const peer = peerOfCertificate(certificate);
  const { role, name } = expected;
  const isIt = peer?.cluster === self.cluster && peer.role === role && (name === undefined || peer.name === name);
  if (isIt) return undefined;
  const wanted = nameOfExpected(expected);
  const found = peer === null ? "no process of a cluster" : `${nameOf(peer)} of ${peer.cluster}`;
  return new RhoneError(
    "FORBIDDEN_PEER",
    `the server's certificate is of ${found}, not of ${wanted} of ${self.cluster}`,
  );
}

/** "a worker", "worker b-1", for messages. */
export const nameOfExpected = ({ role, name }: Expected): string =>
  name === undefined ? `a ${role}` : `${role} ${name}`;

function notCaller(peer: Peer | null, callers: readonly Role[], self: Peer): string | null {
  if (peer === null) {
    return "the caller shows no certificate of this cluster's authority for one of its processes, or an expired one.";
  }
  if (peer.cluster !== self.cluster) {
    return `the caller's certificate is of ${peer.cluster}; this process is of ${self.cluster}.`;
  }
  return callers.includes(peer.role) ? null : notOneOf(peer, callers);
}

const notOneOf = (peer: Peer, roles: readonly Role[]): string =>
  `the caller is ${nameOf(peer)}; this is only for a ${roles.join(" or a ")}.`;

/** Whether what a caller shows is the secret. The time that it takes does not tell where they differ. */
export const isSecret = (shown: unknown, secret: string): boolean =>
  typeof shown === "string" && timingSafeEqual(digest(shown), digest(secret));
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
