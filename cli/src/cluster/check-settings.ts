import { badSettings, parseSettings } from "@rhone/common";
import { coordinatorSettings } from "@rhone/coordinator/config";
import { gatewaySettings } from "@rhone/gateway/config";
import { type ShardWorkerConfig, shardWorkerSettings } from "@rhone/shard-worker/config";
import { checkHardware } from "../launch/check-hardware.js";
import { coordinatorSpec, gatewaySpec, type SpecSources, workerSpec } from "./service-specs.js";

/** Its address is known once it runs. */
const ANY_COORDINATOR = "127.0.0.1:0";

/**
 * Reads the settings of a cluster's services as they will, from the flags that they get and from the environment, so
 * that bad ones are refused before a process starts. Throws INVALID_CONFIG with all of them, then DEVICE_NOT_FOUND and
 * KERNELS_UNAVAILABLE.
 */
export function checkSettings(sources: SpecSources): void {
  const coordinator = coordinatorSpec(sources, undefined);
  const worker = workerSpec(sources, { index: 0, coordinator: ANY_COORDINATOR });
  const gateway = gatewaySpec(sources, undefined);
  const { config, problems } = parseSettings(coordinatorSettings, coordinator.env, coordinator.args);
  const ofWorker = parseSettings(shardWorkerSettings, worker.env, worker.args);
  const all = [
    ...problems,
    ...contextProblems(config.context, sources.plan.model.contextLength),
    ...ofWorker.problems,
    ...parseSettings(gatewaySettings, gateway.env, gateway.args).problems,
  ];
  // Services share some settings.
  if (all.length > 0) throw badSettings([...new Set(all)]);
  const { simulate, device, kernels, ggmlDir } = ofWorker.config as ShardWorkerConfig;
  if (simulate === undefined) checkHardware({ device, kernels, ggmlDir });
}

function contextProblems(context: number | undefined, longest: number): readonly string[] {
  if (context === undefined || context <= longest) return [];
  const { env, doc } = coordinatorSettings.context;
  return [`--context or ${env} is ${context}, more than the ${longest} of the model. ${doc}`];
}
