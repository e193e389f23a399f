import type { PeerCertificate } from "node:tls";

/** What a process of a cluster may be; an operator's certificate reads states and metrics, and nothing else. */
export const ROLES = ["coordinator", "worker", "gateway", "operator"] as const;
export type Role = (typeof ROLES)[number];

/** What a certificate says of its holder: the URI spiffe://CLUSTER/…/ROLE/NAME. */
export interface Peer {
  /** Trust domain: the processes of a cluster have one. */
  readonly cluster: string;
  readonly role: Role;
  readonly name: string;
}

/** One entry of a subject's alternative names, as Node writes them: DNS:host, URI:spiffe://…, or DNS:"quoted". */
const ENTRY = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;
const URI = /^spiffe:\/\/([a-z0-9._-]+)(?:\/[\w.-]+)*?\/([\w.-]+)\/([\w.-]+)$/;

/** The peer that a certificate with these alternative names is of; null unless it has one URI, of that form. */
export function peerOfNames(names: string | undefined): Peer | null {
  const uris: string[] = [];
  ENTRY.lastIndex = 0;
  while (names !== undefined && ENTRY.lastIndex < names.length) {
    const [, kind, value = ""] = ENTRY.exec(names) ?? [];
    if (kind === undefined) return null;
    if (kind === "URI") uris.push(value);
  }
  const [, cluster, role, name] = URI.exec(uris.length === 1 ? (uris[0] ?? "") : "") ?? [];
  if (cluster === undefined || name === undefined || !isRole(role)) return null;
  return { cluster, role, name };
}

/** As peerOfNames, of a certificate that TLS has verified; null without one. */
export const peerOfCertificate = (certificate: Partial<PeerCertificate> | undefined): Peer | null =>
  peerOfNames(certificate?.subjectaltname);

const isRole = (text: string | undefined): text is Role => ROLES.some((role) => role === text);

/** "worker b-1", for messages. */
export const nameOf = ({ role, name }: Peer): string => `${role} ${name}`;
