import { type Places, RhoneError } from "@rhone/common";
import type { Report } from "../cluster/progress.js";
import type { CliConfig } from "../config.js";
import { addressTowards, splitHostPort } from "../enrollment/own-address.js";

/**
 * The variables by which a service of this machine reaches the cluster's Redis: the operator's own, which REDIS_URL
 * names, or the private one, which the machine that made the cluster passes on to certificates of gateways and
 * coordinators. Throws INVALID_CONFIG where the operator's is not named here, and UNREACHABLE when the private one does
 * not answer.
 */
export async function redisEnvironment(
  { redis }: Places,
  { redisUrl }: Pick<CliConfig, "redisUrl">,
  report: Report,
): Promise<Readonly<Record<string, string>>> {
  if (redisUrl !== undefined) return {};
  if (redis === undefined) {
    throw new RhoneError(
      "INVALID_CONFIG",
      "The cluster's Redis is one of the operator's own, which this machine has to be told: set REDIS_URL, and with it " +
        "RHONE_REDIS_PASSWORD_FILE and RHONE_REDIS_CA, as on the machine that made the cluster.",
    );
  }
  const address = redis.replace(/^rhone:\/\//, "");
  report({ kind: "phase", phase: "redis", text: `asking ${address}`, done: false });
  const { host, port } = splitHostPort(address);
  await addressTowards(host, port);
  report({ kind: "phase", phase: "redis", text: `${address} answers`, done: true });
  return { REDIS_URL: redis };
}
