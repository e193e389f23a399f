import { join } from "node:path";
import { openSecurity, type Security, type SecurityConfig } from "@rhone/common";
import type { DataDir } from "../data-dir.js";
import type { IdentityPaths } from "../enrollment/listening.js";
import type { ClusterRecord } from "./cluster-record.js";

/** How the processes of a data directory's cluster know each other. */
function securityConfigOf({ clusterSecret }: DataDir, operator: string | undefined): SecurityConfig {
  const byFiles = (folder: string): Partial<SecurityConfig> => ({
    tlsCa: join(folder, "ca.pem"),
    tlsCert: join(folder, "cert.pem"),
    tlsKey: join(folder, "key.pem"),
  });
  return {
    tlsCa: undefined,
    tlsCert: undefined,
    tlsKey: undefined,
    clusterSecretFile: operator === undefined ? clusterSecret : undefined,
    allowPlaintext: false,
    ...(operator !== undefined && byFiles(operator)),
  };
}

/** What this command shows to them. Throws INVALID_CONFIG when the secret or the identity can't be read. */
export const securityOf = (dataDir: DataDir, { operator }: Pick<ClusterRecord, "operator"> = {}): Security =>
  openSecurity(securityConfigOf(dataDir, operator));

/** The variables of a service that is one of them: its identity, or where none has one, the machine's secret. */
export const securityEnvironment = (
  { clusterSecret }: DataDir,
  identity: IdentityPaths | undefined,
): Readonly<Record<string, string | undefined>> =>
  identity === undefined
    ? { RHONE_CLUSTER_SECRET_FILE: clusterSecret }
    : { RHONE_TLS_CA: identity.ca, RHONE_TLS_CERT: identity.cert, RHONE_TLS_KEY: identity.key };
