import { createHash, X509Certificate } from "node:crypto";
import { z } from "zod";

/** What a member of a cluster may be. */
export const MEMBER_ROLES = ["worker", "gateway", "coordinator"] as const;
export type MemberRole = (typeof MEMBER_ROLES)[number];

/** What a certificate may be for: an operator's is for commands on the machine that made the cluster. */
export const ROLES = [...MEMBER_ROLES, "operator"] as const;
export type Role = (typeof ROLES)[number];

/** The role of the server that issues certificates. No other process takes it for a peer. */
export const AUTHORITY_ROLE = "authority";

/** A member's name: it becomes the name of a folder and a part of a URI. */
export const memberNameSchema = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/,
    "must have 1 to 63 lower-case letters, digits, dots or hyphens, and begin and end with a letter or digit",
  );

/** Who a certificate is for. */
export interface CertificateName {
  /** The first 16 hex digits of the authority's hash. */
  readonly cluster: string;
  readonly role: string;
  readonly name: string;
}

/** The URI in a certificate by which peers know its owner. */
export const uriOf = ({ cluster, role, name }: CertificateName): string => `spiffe://rhone-${cluster}/${role}/${name}`;

/** SHA-256 of a CA's public key (SubjectPublicKeyInfo), hex: the same for all certificates of one key. Throws. */
export function authorityHash(caPem: string): string {
  const key = new X509Certificate(caPem).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("hex");
}

export const clusterOf = (hash: string): string => hash.slice(0, 16);

/** The URIs of a certificate. */
export function urisOf(certificate: X509Certificate): readonly string[] {
  const names = certificate.subjectAltName?.split(", ") ?? [];
  return names.flatMap((name) => (name.startsWith("URI:") ? [name.slice(4)] : []));
}
