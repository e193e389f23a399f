import type { ClusterStatus, WorkerStatus } from "@rhone/common";
import type { GatewayPlace } from "./cluster-records.js";

/** An entry of Prometheus' http_sd_configs. */
export interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface ScrapeTargets {
  readonly gateways: readonly GatewayPlace[];
  readonly coordinators: readonly ClusterStatus[];
  /** Whether coordinators and workers serve their metrics over TLS. */
  readonly isSecure: boolean;
}

/**
 * Every process of the cluster that has metrics, by its job; coordinators and workers with their pipeline, which is its
 * coordinator's address. Labels that begin with `__meta_` are for relabelling, and dropped by Prometheus: a stage that
 * moves would otherwise begin new series.
 */
export function scrapeTargets({ gateways, coordinators, isSecure }: ScrapeTargets): readonly TargetGroup[] {
  const inside = isSecure ? { __scheme__: "https" } : {};
  return [
    ...gateways.map(({ id, address }) => ({
      targets: [address],
      labels: { job: "gateway", __meta_rhone_gateway: id },
    })),
    ...coordinators.flatMap((status) => [
      ...at(status.operations, { job: "coordinator", ...inside, ...aboutPipeline(status) }),
      ...status.workers.flatMap((worker) =>
        at(worker.operations, {
          job: "shard-worker",
          ...inside,
          ...aboutPipeline(status),
          ...aboutWorker(worker, status.workers),
        }),
      ),
    ]),
  ];
}

const at = (address: string, labels: TargetGroup["labels"]): readonly TargetGroup[] =>
  address === "" ? [] : [{ targets: [address], labels }];

const aboutPipeline = ({ coordinator, operations, model }: ClusterStatus) => ({
  pipeline: operations,
  __meta_rhone_coordinator: coordinator,
  __meta_rhone_model: model.name,
});

const aboutWorker = (worker: WorkerStatus, all: readonly WorkerStatus[]) => ({
  __meta_rhone_worker: worker.worker,
  __meta_rhone_hostname: worker.hostname,
  __meta_rhone_stage: stageOf(worker, all),
});

/** Its place among the layers; "" for a spare. */
function stageOf({ layers }: WorkerStatus, all: readonly WorkerStatus[]): string {
  if (layers === null) return "";
  return String(all.filter((other) => other.layers !== null && other.layers[0] < layers[0]).length);
}
