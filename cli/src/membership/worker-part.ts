import { join } from "node:path";
import type { RhoneError } from "@rhone/common";
import { securityEnvironment } from "../cluster/cluster-security.js";
import { childEnvironment } from "../config.js";
import { placeTowards } from "../enrollment/own-address.js";
import { toArguments } from "../processes/service-process.js";
import type { MemberPart, PartSources } from "./member-part.js";
import { MemberProgress } from "./member-progress.js";

/** The worker of a machine that has joined. Throws UNREACHABLE when its coordinator does not answer. */
export async function workerPart(sources: PartSources): Promise<MemberPart> {
  const { options, config, dataDir, files, entryPoints, report } = sources;
  const { name, coordinator } = options;
  report({ kind: "phase", phase: "coordinator", text: `asking ${coordinator}`, done: false });
  const place = await placeTowards(coordinator, options.advertise);
  let fail = (_: RhoneError): void => {};
  const refused = new Promise<never>((_, reject) => {
    fail = reject;
  });
  refused.catch(() => {}); // it may come before anybody follows
  const progress = new MemberProgress({ name, coordinator, report, onFinal: fail });
  const flags = {
    coordinator,
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
    spec: () => ({
      name: "worker",
      title: `Worker ${name}`,
      entry: entryPoints.shardWorker,
      args: toArguments(flags),
      env: childEnvironment(securityEnvironment(dataDir, files)),
      logFile: join(dataDir.logs, "worker.log"),
      hungAfterMs: config.hungAfter * 1000,
      onStanding: (standing) => progress.show(standing),
    }),
    follow: (_, stop) => {
      stop.addEventListener("abort", () => progress.close(), { once: true });
      return refused;
    },
  };
}
