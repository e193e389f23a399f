import { isIP } from "node:net";
import { z } from "zod";
import type { ConfigOf, Settings } from "../config/load-config.js";
import { booleanSchema } from "../config/schemas.js";

const path = z.string().min(1).optional();

/** How the processes of a cluster know each other: settings of every service that serves or calls gRPC. */
export const securitySettings = {
  tlsCa: {
    env: "RHONE_TLS_CA",
    schema: path,
    doc: "PEM file of the cluster's authority. With --tls-cert and --tls-key it turns mutual TLS on, on all ports but the gateway's.",
  },
  tlsCert: {
    env: "RHONE_TLS_CERT",
    schema: path,
    doc: "PEM file of this process's certificate, whose URI ends with /ROLE/NAME. It may be replaced at any time.",
  },
  tlsKey: { env: "RHONE_TLS_KEY", schema: path, doc: "PEM file of the certificate's private key." },
  tlsRevoked: {
    env: "RHONE_TLS_REVOKED",
    schema: path,
    doc:
      "File of public keys that are believed no longer: their SHA-256 in hex, one a line. It may be replaced at any " +
      "time; their connections end within a second.",
  },
  clusterSecretFile: {
    env: "RHONE_CLUSTER_SECRET_FILE",
    schema: path,
    doc: "File with the secret by which the processes of one machine know each other without TLS; `rhone up` makes it.",
  },
  allowPlaintext: {
    env: "RHONE_ALLOW_PLAINTEXT",
    schema: booleanSchema.default(false),
    doc:
      "true = go without TLS and without a secret, and listen for other machines without TLS: all who reach the ports " +
      "can read prompts and answer for workers.",
  },
} as const satisfies Settings;

/** Of processes whose metrics need a certificate where there are certificates. */
export const metricsTokenFileSetting = {
  env: "RHONE_METRICS_TOKEN_FILE",
  schema: path,
  doc:
    "File with a secret of at least 32 characters: who shows it, as Authorization: Bearer …, reads /metrics without a " +
    "certificate. Read at the start.",
} as const;

/** Values of `securitySettings`, which may be passed to a thread. */
export type SecurityConfig = ConfigOf<typeof securitySettings>;

/** Whether only processes of this machine reach what listens there. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
