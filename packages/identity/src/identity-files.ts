import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createFile, makeFolder, replaceFile } from "@rhone/common";
import { newKey } from "./certificates.js";
import type { Role } from "./member-name.js";

/** The files of one identity; services get these paths. */
export interface IdentityFiles {
  readonly folder: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** The keys of members that were expelled, one file for all identities of a machine. */
  readonly revoked: string;
}

/** `root`: the folder of all identities. */
export function identityFiles(root: string, role: Role, name: string): IdentityFiles {
  const folder = join(root, `${role}-${name}`);
  const [ca, cert, key] = [join(folder, "ca.pem"), join(folder, "cert.pem"), join(folder, "key.pem")];
  return { folder, ca, cert, key, revoked: join(root, "revoked") };
}

/** An identity that was issued. */
export interface Identity {
  /** PEM. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  readonly validFromMs: number;
  readonly validUntilMs: number;
}

/** Null when it was never issued. Throws when a file can't be read or is no certificate. */
export async function readIdentity(files: IdentityFiles): Promise<Identity | null> {
  try {
    const [ca, certificate, key] = await Promise.all(
      [files.ca, files.cert, files.key].map((path) => readFile(path, "utf8")),
    );
    if (ca === undefined || certificate === undefined || key === undefined) return null;
    const { validFrom, validTo } = new X509Certificate(certificate);
    return { ca, certificate, key, validFromMs: Date.parse(validFrom), validUntilMs: Date.parse(validTo) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/**
 * The private key of an identity, made when there is none. It is kept over renewals, so that a certificate can be
 * replaced in one step while processes read the files, and a joiner that got no answer asks again with the same key.
 */
export async function identityKey(files: IdentityFiles): Promise<string> {
  await makeFolder(files.folder, 0o700);
  await createFile(files.key, newKey());
  return readFile(files.key, "utf8");
}

/** Writes an issued certificate beside its key, each file in one step. */
export async function writeCertificate(
  files: IdentityFiles,
  { ca, certificate }: Pick<Identity, "ca" | "certificate">,
): Promise<void> {
  await replaceFile(files.ca, ca);
  await replaceFile(files.cert, certificate);
}

/**
 * Writes the keys that are believed no longer (`keyHash`), one a line, where they differ from those in the file. The
 * processes of this machine read it each second.
 */
export async function writeRevoked(path: string, keys: readonly string[]): Promise<void> {
  const text = keys.map((key) => `${key}\n`).join("");
  const before = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (text !== before) await replaceFile(path, text);
}
