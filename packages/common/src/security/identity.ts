import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { SecureContextOptions } from "node:tls";
import type { experimental } from "@grpc/grpc-js";
import { RhoneError } from "../errors/rhone-error.js";
import { type Peer, peerOfNames } from "./peer.js";

export interface IdentityFiles {
  /** PEM files. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** The files at one moment. */
interface Pem {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Told why the files on disk are not the ones in use. */
export type OnStale = (problem: RhoneError) => void;

/** How often the files are looked at: a certificate that is replaced is in use this soon. */
const LOOK_MS = 10_000;

/**
 * A process's key and certificate, and the authority that it believes, from files that may be replaced at any time: new
 * connections use what was read last and fits together. Half-written or expired files change nothing, and are told.
 */
export class Identity implements experimental.CertificateProvider {
  /** Who this process is by its certificate. */
  readonly self: Peer;
  readonly #files: IdentityFiles;
  readonly #onStale: OnStale;
  readonly #timer: NodeJS.Timeout;
  readonly #listeners = new Set<() => void>();
  readonly #caListeners = new Set<(update: { caCertificate: Buffer } | null) => void>();
  readonly #ownListeners = new Set<(update: { certificate: Buffer; privateKey: Buffer } | null) => void>();
  #pem: Pem;
  #told = "";

  private constructor(files: IdentityFiles, first: { readonly pem: Pem; readonly self: Peer }, onStale: OnStale) {
    this.#files = files;
    this.#pem = first.pem;
    this.self = first.self;
    this.#onStale = onStale;
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  /** Throws INVALID_CONFIG, with the file, for what can't be read, does not fit together or has expired. */
  static open(files: IdentityFiles, onStale: OnStale): Identity {
    const read = (path: string): Buffer => {
      try {
        return readFileSync(path);
      } catch (cause) {
        throw unreadable(path, cause);
      }
    };
    const pem = { ca: read(files.ca), cert: read(files.cert), key: read(files.key) };
    return new Identity(files, { pem, self: check(files, pem) }, onStale);
  }

  /** What a TLS server or client of this process begins with; see `onChange`. */
  get context(): SecureContextOptions {
    const { ca, cert, key } = this.#pem;
    return { ca, cert, key, minVersion: "TLSv1.3" };
  }

  /** Calls `changed` when `context` changes. */
  onChange(changed: () => void): void {
    this.#listeners.add(changed);
  }

  /** Reads the files, and takes them if they are new and fit. */
  async look(): Promise<void> {
    const { ca, cert, key } = this.#files;
    try {
      const [newCa, newCert, newKey] = await Promise.all(
        [ca, cert, key].map((path) =>
          readFile(path).catch((cause: unknown) => Promise.reject(unreadable(path, cause))),
        ),
      );
      if (newCa === undefined || newCert === undefined || newKey === undefined) return;
      const pem = { ca: newCa, cert: newCert, key: newKey };
      if (!isSame(pem, this.#pem)) this.#take(pem);
      this.#told = "";
    } catch (error) {
      if (!(error instanceof RhoneError)) throw error;
      if (error.message !== this.#told) this.#onStale(error);
      this.#told = error.message;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Throws INVALID_CONFIG. */
  #take(pem: Pem): void {
    const next = check(this.#files, pem);
    if (uriOf(next) !== uriOf(this.self)) {
      const change = `is of ${uriOf(next)}; this process is ${uriOf(this.self)} until it is started again`;
      throw new RhoneError("INVALID_CONFIG", `The certificate ${this.#files.cert} ${change}.`);
    }
    this.#pem = pem;
    for (const changed of this.#listeners) changed();
    for (const listener of this.#caListeners) listener({ caCertificate: pem.ca });
    for (const listener of this.#ownListeners) listener({ certificate: pem.cert, privateKey: pem.key });
  }

  // What gRPC's clients ask: each new connection takes the latest. They expect the first answer in a later turn.

  addCaCertificateListener(listener: (update: { caCertificate: Buffer } | null) => void): void {
    this.#caListeners.add(listener);
    process.nextTick(() => listener({ caCertificate: this.#pem.ca }));
  }

  removeCaCertificateListener(listener: (update: { caCertificate: Buffer } | null) => void): void {
    this.#caListeners.delete(listener);
  }

  addIdentityCertificateListener(listener: (update: { certificate: Buffer; privateKey: Buffer } | null) => void): void {
    this.#ownListeners.add(listener);
    process.nextTick(() => listener({ certificate: this.#pem.cert, privateKey: this.#pem.key }));
  }

  removeIdentityCertificateListener(
    listener: (update: { certificate: Buffer; privateKey: Buffer } | null) => void,
  ): void {
    this.#ownListeners.delete(listener);
  }
}

const uriOf = ({ cluster, role, name }: Peer): string => `spiffe://${cluster}/${role}/${name}`;

const isSame = (a: Pem, b: Pem): boolean => a.ca.equals(b.ca) && a.cert.equals(b.cert) && a.key.equals(b.key);

/** Who the certificate is of. Throws INVALID_CONFIG. TLS itself verifies the chain to the authority. */
function check(files: IdentityFiles, { ca, cert, key }: Pem): Peer {
  parsed(files.ca, () => new X509Certificate(ca));
  const certificate = parsed(files.cert, () => new X509Certificate(cert));
  const privateKey = parsed(files.key, () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new RhoneError("INVALID_CONFIG", `${files.key} is not the key of the certificate ${files.cert}.`);
  }
  if (Date.parse(certificate.validTo) < Date.now()) {
    throw new RhoneError("INVALID_CONFIG", `The certificate ${files.cert} expired on ${certificate.validTo}.`);
  }
  const self = peerOfNames(certificate.subjectAltName);
  if (self !== null) return self;
  throw new RhoneError(
    "INVALID_CONFIG",
    `The certificate ${files.cert} must have one URI that ends with /ROLE/NAME, such as ` +
      `spiffe://rhone-0123456789abcdef/worker/b-1; it has ${certificate.subjectAltName ?? "no alternative names"}.`,
  );
}

function parsed<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new RhoneError("INVALID_CONFIG", `${path} is not a PEM file of its kind: ${(cause as Error).message}`, {
      cause,
    });
  }
}

const unreadable = (path: string, cause: unknown): RhoneError =>
  new RhoneError("INVALID_CONFIG", `${path} can't be read: ${(cause as Error).message}`, { cause });
