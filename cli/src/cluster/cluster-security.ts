import { join } from "node:path";
import { openSecurity, readSecret, type Security, type SecurityConfig } from "@rhone/common";
import type { DataDir } from "../data-dir.js";
import type { IdentityPaths } from "../enrollment/listening.js";
import type { ClusterRecord } from "./cluster-record.js";

/** How a process with this identity knows others and is known. */
export const identityConfig = ({ ca, cert, key, revoked }: IdentityPaths): SecurityConfig => ({
  tlsCa: ca,
  tlsCert: cert,
  tlsKey: key,
  tlsRevoked: revoked,
  clusterSecretFile: undefined,
  allowPlaintext: false,
});

/** How the processes of a data directory's cluster know each other. */
function securityConfigOf({ clusterSecret, revoked }: DataDir, operator: string | undefined): SecurityConfig {
  if (operator !== undefined) {
    const [ca = "", cert = "", key = ""] = ["ca.pem", "cert.pem", "key.pem"].map((file) => join(operator, file));
    return identityConfig({ ca, cert, key, revoked });
  }
  return {
    tlsCa: undefined,
    tlsCert: undefined,
    tlsKey: undefined,
    tlsRevoked: undefined,
    clusterSecretFile: clusterSecret,
    allowPlaintext: false,
  };
}

/** What this command shows to them. Throws INVALID_CONFIG when the secret or the identity can't be read. */
export const securityOf = (dataDir: DataDir, { operator }: Pick<ClusterRecord, "operator"> = {}): Security =>
  openSecurity(securityConfigOf(dataDir, operator));

/** The variables of a service that is one of them: the machine's secret, and its identity where it has one. */
export const securityEnvironment = (
  { clusterSecret }: DataDir,
  identity: IdentityPaths | undefined,
): Readonly<Record<string, string | undefined>> => ({
  RHONE_CLUSTER_SECRET_FILE: clusterSecret,
  ...(identity !== undefined && {
    RHONE_TLS_CA: identity.ca,
    RHONE_TLS_CERT: identity.cert,
    RHONE_TLS_KEY: identity.key,
    RHONE_TLS_REVOKED: identity.revoked,
  }),
});

/** What the owner of a data directory shows to its cluster's gateway; undefined where it can't be read. */
export function clusterSecretOf({ clusterSecret }: DataDir): string | undefined {
  try {
    return readSecret(clusterSecret);
  } catch {
    return undefined;
  }
}
