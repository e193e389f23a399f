import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { PeerCertificate } from "node:tls";
import { RhoneError } from "../errors/rhone-error.js";
import type { OnStale } from "./identity.js";

/** A key that is added to the file is refused this soon. */
const LOOK_MS = 1000;
/** 100,000 keys are 6.5 MB. */
const MOST_BYTES = 8 * 2 ** 20;

/**
 * Public keys that are believed no longer, whatever certificates they have: the SHA-256 of each (SubjectPublicKeyInfo)
 * in hex, one a line, in a file that may be replaced at any time. What can't be read changes nothing, and is told.
 */
export class RevokedKeys {
  readonly #path: string;
  readonly #onStale: OnStale;
  readonly #timer: NodeJS.Timeout;
  readonly #listeners = new Set<() => void>();
  #text: string;
  #keys: ReadonlySet<string>;
  #told = "";

  private constructor(path: string, text: string, onStale: OnStale) {
    this.#path = path;
    this.#text = text;
    this.#keys = parse(path, text);
    this.#onStale = onStale;
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  /** Throws INVALID_CONFIG, with the file, for one that can't be read or has something else in it. */
  static open(path: string, onStale: OnStale): RevokedKeys {
    try {
      return new RevokedKeys(path, readFileSync(path, "utf8"), onStale);
    } catch (error) {
      throw error instanceof RhoneError ? error : unreadable(path, error);
    }
  }

  /** Whether a certificate, as Node has it of a peer, is for one of them. */
  has({ raw }: Partial<PeerCertificate> = {}): boolean {
    return this.#keys.size > 0 && raw !== undefined && this.#keys.has(keyHashOf(raw));
  }

  /** Calls `changed` when there are others. Returns a function that ends it. */
  onChange(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  }

  /** Reads the file, and takes it if it is new. */
  async look(): Promise<void> {
    try {
      const text = await readFile(this.#path, "utf8").catch((cause: unknown) =>
        Promise.reject(unreadable(this.#path, cause)),
      );
      const keys = text === this.#text ? this.#keys : parse(this.#path, text);
      this.#told = "";
      if (text === this.#text) return;
      this.#keys = keys;
      this.#text = text;
      for (const changed of this.#listeners) changed();
    } catch (error) {
      if (!(error instanceof RhoneError)) throw error;
      if (error.message !== this.#told) this.#onStale(error);
      this.#told = error.message;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

const keyHashOf = (certificate: Buffer): string =>
  createHash("sha256")
    .update(new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");

/** Throws INVALID_CONFIG. */
function parse(path: string, text: string): ReadonlySet<string> {
  if (text.length > MOST_BYTES) {
    throw new RhoneError(
      "INVALID_CONFIG",
      `${path} has ${text.length} bytes; revoked keys take ${MOST_BYTES} at most.`,
    );
  }
  const lines = text.split("\n").map((line) => line.trim());
  const bad = lines.findIndex((line) => line !== "" && !/^[0-9a-f]{64}$/.test(line));
  if (bad < 0) return new Set(lines.filter((line) => line !== ""));
  const problem = `Line ${bad + 1} of ${path} is no key: it must be 64 hexadecimal digits`;
  throw new RhoneError("INVALID_CONFIG", `${problem}, the SHA-256 of a public key.`);
}

const unreadable = (path: string, cause: unknown): RhoneError =>
  new RhoneError("INVALID_CONFIG", `${path} can't be read: ${(cause as Error).message}`, { cause });
