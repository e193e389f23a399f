import { type ClusterStatus, RhoneError } from "@rhone/common";
import type { GatewayDeps } from "../gateway-deps.js";
import { readyCoordinator } from "../queue/cluster-state.js";
import type { TextModel } from "../text/text-model.js";

/** A ready coordinator for the model asked for. Throws MODEL_NOT_FOUND, NO_PIPELINE, REDIS_UNAVAILABLE. */
export async function coordinatorFor({ cluster, model }: GatewayDeps, asked: string | undefined) {
  const coordinators = await cluster.coordinators();
  if (asked !== undefined) checkName(asked, servedNames(model, coordinators));
  return readyCoordinator(coordinators);
}

/** What clients may ask for. */
export function servedNames(
  { name, aliases }: Pick<TextModel, "name" | "aliases">,
  coordinators: readonly ClusterStatus[],
): readonly string[] {
  return [name, ...aliases, ...coordinators.map((status) => status.model.name)];
}

/** Throws MODEL_NOT_FOUND unless `asked` is one of the names. */
export function checkName(asked: string, names: readonly string[]): void {
  if (names.includes(asked)) return;
  const message = `The model \`${asked}\` does not exist; this server has \`${names[0]}\`.`;
  throw new RhoneError("MODEL_NOT_FOUND", message, { param: "model" });
}

/** What changes when the weights do. */
export const systemFingerprint = ({ model, simulated }: ClusterStatus): string =>
  simulated ? "fp_simulated" : `fp_${model.fingerprint.slice(0, 12)}`;
