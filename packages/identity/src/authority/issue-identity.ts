import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { RhoneError } from "@rhone/common";
import { type Credential, issueLeaf, publicKeyOf } from "../certificates.js";
import { type IdentityFiles, identityKey, writeCertificate } from "../identity-files.js";
import { authorityHash, clusterOf, memberNameSchema, uriOf } from "../member-name.js";

/** A certificate from a CA's own key, without a token and without a record of members. */
export interface DirectOrder {
  /** A role that processes know, or "redis": none of them takes its owner for a peer. */
  readonly role: string;
  readonly name: string;
  /** Host names and addresses of the owner, which only clients of Redis compare. */
  readonly hosts: readonly string[];
  readonly nowMs: number;
  readonly lifeMs: number;
}

/** The names that Kubernetes and cert-manager give to the files of a certificate. */
export function certificateFiles(folder: string): IdentityFiles {
  const [ca, cert, key] = [join(folder, "ca.crt"), join(folder, "tls.crt"), join(folder, "tls.key")];
  return { folder, ca, cert, key, revoked: join(folder, "revoked") };
}

/**
 * The key and certificate of a CA of one's own. Throws INVALID_CONFIG for files that can't be read or are no pair, and
 * for keys other than ECDSA on P-256.
 */
export async function readAuthority(caPath: string, keyPath: string): Promise<Credential> {
  try {
    const [certificate, key] = await Promise.all([readFile(caPath, "utf8"), readFile(keyPath, "utf8")]);
    const owner = createPublicKey(createPrivateKey(key).export({ type: "pkcs8", format: "pem" }));
    if (owner.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw new Error("the key is not ECDSA on P-256");
    const authority = new X509Certificate(certificate);
    if (!authority.publicKey.equals(owner)) throw new Error("the key does not belong to the certificate");
    if (!authority.ca) throw new Error("the certificate is no CA's");
    return { certificate, key };
  } catch (cause) {
    const problem = `The authority ${caPath} with the key ${keyPath} can't be used: ${(cause as Error).message}`;
    throw new RhoneError("INVALID_CONFIG", `${problem}.`, { cause });
  }
}

/**
 * Writes a certificate with the URI spiffe://rhone-CLUSTER/ROLE/NAME, and its key unless the folder has one. Throws
 * INVALID_CONFIG for a name that members can't have.
 */
export async function issueIdentity(authority: Credential, files: IdentityFiles, order: DirectOrder): Promise<void> {
  const { role, name, hosts, nowMs, lifeMs } = order;
  const named = memberNameSchema.safeParse(name);
  if (!named.success) {
    throw new RhoneError("INVALID_CONFIG", `The name ${JSON.stringify(name)} ${named.error.issues[0]?.message}.`);
  }
  const certificate = await issueLeaf(authority, {
    publicKey: publicKeyOf(await identityKey(files)),
    commonName: name,
    uri: uriOf({ cluster: clusterOf(authorityHash(authority.certificate)), role, name }),
    hosts,
    nowMs,
    lifeMs,
  });
  await writeCertificate(files, { ca: authority.certificate, certificate });
}
