import { join } from "node:path";
import type { WorkerStanding } from "@rhone/common";
import type { IdentityFiles } from "@rhone/identity";
import { securityEnvironment } from "../cluster/cluster-security.js";
import { type CliConfig, childEnvironment } from "../config.js";
import type { DataDir } from "../data-dir.js";
import type { ListenPlace } from "../enrollment/own-address.js";
import { type ServiceSpec, toArguments } from "../processes/service-process.js";
import type { MemberOptions } from "./member-options.js";

export interface MemberSources {
  readonly options: MemberOptions;
  readonly config: Pick<CliConfig, "hungAfter">;
  readonly dataDir: DataDir;
  readonly files: IdentityFiles;
  readonly place: ListenPlace;
  /** The JavaScript file of the worker. */
  readonly entry: string;
  readonly onStanding: (standing: WorkerStanding) => void;
}

/** The worker of a machine that has joined. */
export function memberSpec({ options, config, dataDir, files, place, entry, onStanding }: MemberSources): ServiceSpec {
  const flags = {
    coordinator: options.coordinator,
    host: place.bind,
    "advertise-host": place.advertise,
    port: options.port,
    "ops-port": 0,
    threads: options.threads,
    memory: options.memory,
    device: options.device,
    kernels: options.kernels,
    simulate: options.simulate,
    "models-dir": dataDir.models,
    "weights-dir": dataDir.weights,
  };
  return {
    name: "worker",
    title: `Worker ${options.name}`,
    entry,
    args: toArguments(flags),
    env: childEnvironment(securityEnvironment(dataDir, files)),
    logFile: join(dataDir.logs, "worker.log"),
    hungAfterMs: config.hungAfter * 1000,
    onStanding,
  };
}
