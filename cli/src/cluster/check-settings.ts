import { badSettings, parseSettings } from "@rhone/common";
import { coordinatorSettings } from "@rhone/coordinator/config";
import { gatewaySettings } from "@rhone/gateway/config";
import { type ShardWorkerConfig, shardWorkerSettings } from "@rhone/shard-worker/config";
import { checkHardware } from "../launch/check-hardware.js";
import type { ModelPlan, PipelinePlan } from "../launch/launch-plan.js";
import { coordinatorSpec, gatewaySpec, type SpecSources, workerSpec } from "./service-specs.js";

/** Its address is known once it runs. */
const ANY_COORDINATOR = "127.0.0.1:0";

/**
 * Reads the settings of a cluster's services as they will, from the flags that they get and from the environment, so
 * that bad ones are refused before a process starts. Throws INVALID_CONFIG with all of them, then DEVICE_NOT_FOUND and
 * KERNELS_UNAVAILABLE.
 */
export function checkSettings(sources: SpecSources): void {
  const ofPipelines = sources.plan.pipelines.map((pipeline) => pipelineSettings(sources, pipeline));
  const gateway = gatewaySpec(sources, undefined);
  const all = [
    ...ofPipelines.flatMap(({ problems }) => problems),
    ...parseSettings(gatewaySettings, gateway.env, gateway.args).problems,
  ];
  // Services share some settings.
  if (all.length > 0) throw badSettings([...new Set(all)]);
  for (const { worker } of ofPipelines) {
    const { simulate, device, kernels, ggmlDir } = worker;
    if (simulate === undefined) checkHardware({ device, kernels, ggmlDir });
  }
}

/** What is wrong with the settings of a pipeline's services and workers. */
function pipelineSettings(sources: SpecSources, pipeline: PipelinePlan) {
  const coordinator = coordinatorSpec(sources, pipeline, {});
  const worker = workerSpec(sources, { pipeline, index: 0, coordinator: ANY_COORDINATOR });
  const { config, problems } = parseSettings(coordinatorSettings, coordinator.env, coordinator.args);
  const ofWorker = parseSettings(shardWorkerSettings, worker.env, worker.args);
  return {
    problems: [...problems, ...contextProblems(config.context, pipeline.model), ...ofWorker.problems],
    worker: ofWorker.config as ShardWorkerConfig,
  };
}

function contextProblems(context: number | undefined, { name, contextLength }: ModelPlan): readonly string[] {
  if (context === undefined || context <= contextLength) return [];
  const { env, doc } = coordinatorSettings.context;
  return [`--context or ${env} is ${context}, more than the ${contextLength} of ${name}. ${doc}`];
}
