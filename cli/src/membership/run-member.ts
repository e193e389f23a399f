import { rm } from "node:fs/promises";
import { createFile, createLogger, type RhoneError, toRhoneError } from "@rhone/common";
import { Expulsions, fetchRevoked, identityFiles, Renewal, readIdentity, renew } from "@rhone/identity";
import { boundLogs } from "../cluster/bound-logs.js";
import { ClusterClaim, recordedProcesses } from "../cluster/cluster-record.js";
import { recordFailure } from "../cluster/last-failure.js";
import type { ProgressEvent, Report } from "../cluster/progress.js";
import { urlOf } from "../cluster/run-cluster.js";
import { type CliConfig, logLevel } from "../config.js";
import { createDataDir, dataDirAt } from "../data-dir.js";
import { splitHostPort } from "../enrollment/own-address.js";
import type { EntryPoints } from "../processes/entry-points.js";
import { endProcesses } from "../processes/process-identity.js";
import type { StopTimes } from "../processes/service-process.js";
import { SupervisedService } from "../processes/supervised-service.js";
import { coordinatorPart } from "./coordinator-part.js";
import { gatewayPart } from "./gateway-part.js";
import type { MemberOptions } from "./member-options.js";
import type { MemberPart } from "./member-part.js";
import { workerPart } from "./worker-part.js";

export interface MemberRequest {
  readonly options: MemberOptions;
  readonly config: CliConfig;
  readonly entryPoints: Pick<EntryPoints, "shardWorker" | "gateway" | "coordinator">;
  readonly report: Report;
  /** Leaves in order. */
  readonly stop: AbortSignal;
  readonly kill: AbortSignal;
}

/** What this machine does is over: an expelled gateway's requests would wait for a Redis that refuses it. */
const GIVEN_UP: StopTimes = { hurryAfterMs: 500, killAfterMs: 10_000 };

const PARTS = { worker: workerPart, gateway: gatewayPart, coordinator: coordinatorPart } as const;

/**
 * Runs this machine's part until `stop`, keeps it running, and renews its certificate. Throws ALREADY_RUNNING, the
 * service's error when it can't be kept running, and UNREACHABLE when the coordinator does not reach a worker back.
 */
export async function runMember(request: MemberRequest): Promise<void> {
  const { options, kill } = request;
  const dataDir = dataDirAt(options.dataDir);
  await createDataDir(dataDir);
  const { as, name, door } = options;
  const files = identityFiles(dataDir.identity, as, name);
  const claim = await ClusterClaim.take(dataDir, { url: "", model: "", joined: door }, endProcesses);
  const endOfLogs = boundLogs(dataDir.logs);
  await rm(dataDir.failureFile, { force: true });
  let fail = (_: RhoneError): void => {};
  const failed = new Promise<RhoneError>((resolve) => {
    fail = resolve;
  });
  const place = { address: door, role: as, name, files };
  const logger = createLogger({ service: "member", level: logLevel() });
  const renewal = new Renewal({ read: () => readIdentity(files), renew: () => renew(place), logger });
  const fetch = () => fetchRevoked(place);
  const expulsions = new Expulsions({ fetch, path: files.revoked, onExpelled: fail, logger });
  const report = (event: ProgressEvent): void => {
    if (event.kind === "member" || event.kind === "note") void claim.update({ standing: event.text });
    request.report(event);
  };
  try {
    await expulsions.look();
    await createFile(files.revoked, ""); // the first time that the door does not answer
    const part = await PARTS[as]({ ...request, dataDir, files, report });
    const service: SupervisedService = new SupervisedService({
      spec: part.spec,
      onChange: () => void claim.update({ services: recordedProcesses([service]) }),
      onRestart: (why) => report({ kind: "warning", text: `${why.message.split("\n")[0]} Restarting it.` }),
      onStopped: (title) => report({ kind: "note", text: `${title} was stopped in order. Starting it again.` }),
      onGiveUp: fail,
    });
    kill.addEventListener("abort", () => service.kill(), { once: true });
    await live({ service, part, failed, fail }, claim, request);
  } catch (error) {
    if (!request.stop.aborted) await recordFailure(dataDir, toRhoneError(error));
    throw error;
  } finally {
    endOfLogs();
    renewal.close();
    expulsions.close();
    await claim.release();
  }
}

interface Life {
  readonly service: SupervisedService;
  readonly part: MemberPart;
  readonly failed: Promise<RhoneError>;
  readonly fail: (error: RhoneError) => void;
}

async function live({ service, part, failed, fail }: Life, claim: ClusterClaim, request: MemberRequest): Promise<void> {
  const { stop } = request;
  const stopped = new Promise<null>((resolve) => {
    if (stop.aborted) resolve(null);
    stop.addEventListener("abort", () => resolve(null), { once: true });
  });
  const over = new AbortController();
  let times: StopTimes = {}; // a worker has --leave-timeout, a gateway --drain-timeout-ms
  try {
    const addresses = await Promise.race([service.start(), stopped]);
    if (addresses === null) return;
    const { http } = addresses;
    const { host = "127.0.0.1" } = request.options;
    await claim.update({ state: "ready", url: http === undefined ? "" : urlOf(host, splitHostPort(http).port) });
    part.follow(addresses, over.signal).catch((error: unknown) => fail(toRhoneError(error)));
    const failure = await Promise.race([failed, stopped]);
    if (failure === null) return;
    times = GIVEN_UP;
    throw failure;
  } finally {
    over.abort();
    await claim.update({ state: "stopping" });
    await service.stop(times);
  }
}
