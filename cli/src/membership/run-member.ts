import { createLogger, type RhoneError } from "@rhone/common";
import { identityFiles, Renewal, readIdentity, renew } from "@rhone/identity";
import { ClusterClaim } from "../cluster/cluster-record.js";
import type { Report } from "../cluster/progress.js";
import { type CliConfig, logLevel } from "../config.js";
import { createDataDir, dataDirAt } from "../data-dir.js";
import { addressTowards, type ListenPlace, listenPlace } from "../enrollment/own-address.js";
import { endProcesses, identifyProcess } from "../processes/process-identity.js";
import { SupervisedService } from "../processes/supervised-service.js";
import type { MemberOptions } from "./member-options.js";
import { MemberProgress } from "./member-progress.js";
import { memberSpec } from "./member-spec.js";

export interface MemberRequest {
  readonly options: MemberOptions;
  readonly config: CliConfig;
  /** The JavaScript file of the worker. */
  readonly entry: string;
  readonly report: Report;
  /** Leaves in order. */
  readonly stop: AbortSignal;
  readonly kill: AbortSignal;
}

/** The worker waits up to 15 s for the coordinator to let it go. */
const LEAVE_MS = 25_000;

/**
 * Runs this machine's worker until `stop`, keeps it running, and renews its certificate. Throws ALREADY_RUNNING, the
 * worker's error when it can't be kept running, and UNREACHABLE when the coordinator does not reach it back.
 */
export async function runMember(request: MemberRequest): Promise<void> {
  const { options, config, entry, report, stop, kill } = request;
  const dataDir = dataDirAt(options.dataDir);
  await createDataDir(dataDir);
  const files = identityFiles(dataDir.identity, "worker", options.name);
  const about = { url: "", model: "", joined: options.door };
  const claim = await ClusterClaim.take(dataDir, about, endProcesses);
  let fail = (_: RhoneError): void => {};
  const failed = new Promise<RhoneError>((resolve) => {
    fail = resolve;
  });
  const { name, coordinator } = options;
  const progress = new MemberProgress({ name, coordinator, report, onFinal: fail });
  const renewal = new Renewal({
    read: () => readIdentity(files),
    renew: () => renew({ address: options.door, role: "worker", name, files }),
    logger: createLogger({ service: "member", level: logLevel() }),
  });
  try {
    const place = await placeOf(options);
    report({ kind: "phase", phase: "coordinator", text: `asking ${coordinator}`, done: false });
    const spec = () =>
      memberSpec({ options, config, dataDir, files, place, entry, onStanding: (each) => progress.show(each) });
    const service: SupervisedService = new SupervisedService({
      spec,
      onChange: () => void claim.update({ services: processesOf(service) }),
      onRestart: (why) => report({ kind: "warning", text: `${why.message.split("\n")[0]} Restarting it.` }),
      onGiveUp: fail,
    });
    kill.addEventListener("abort", () => service.kill(), { once: true });
    const stopped = new Promise<null>((resolve) => {
      if (stop.aborted) resolve(null);
      stop.addEventListener("abort", () => resolve(null), { once: true });
    });
    try {
      await Promise.race([service.start(), stopped]);
      await claim.update({ state: "ready" });
      const failure = await Promise.race([failed, stopped]);
      if (failure !== null) throw failure;
    } finally {
      await claim.update({ state: "stopping" });
      await service.stop(LEAVE_MS);
    }
  } finally {
    progress.close();
    renewal.close();
    await claim.release();
  }
}

function processesOf({ process: running }: SupervisedService) {
  const identity = running === undefined ? null : identifyProcess(running.pid);
  return running === undefined || identity === null ? [] : [{ name: running.name, ...identity }];
}

/** Where the worker listens: at the address that this machine has in the coordinator's network, unless one is named. */
async function placeOf({ advertise, coordinator }: MemberOptions): Promise<ListenPlace> {
  if (advertise !== undefined) return listenPlace(advertise);
  const { hostname, port } = new URL(`tcp://${coordinator}`);
  const address = await addressTowards(hostname.replace(/^\[(.*)\]$/, "$1"), Number(port));
  return { bind: address, advertise: address };
}
