import { openSecurity, type Security, type SecurityConfig } from "@rhone/common";
import type { DataDir } from "../data-dir.js";

/** How the processes of a data directory's cluster know each other. */
const securityConfigOf = ({ clusterSecret }: DataDir): SecurityConfig => ({
  tlsCa: undefined,
  tlsCert: undefined,
  tlsKey: undefined,
  clusterSecretFile: clusterSecret,
  allowPlaintext: false,
});

/** What this command shows to them. Throws INVALID_CONFIG when the secret can't be read. */
export const securityOf = (dataDir: DataDir): Security => openSecurity(securityConfigOf(dataDir));

/** The variables of a service that is one of them. */
export const securityEnvironment = ({ clusterSecret }: DataDir): Readonly<Record<string, string | undefined>> => ({
  RHONE_CLUSTER_SECRET_FILE: clusterSecret,
});
