import { setTimeout as sleep } from "node:timers/promises";
import { RhoneError, type Security } from "@rhone/common";
import { identifyProcess } from "../processes/process-identity.js";
import type { Addresses, ServiceSpec } from "../processes/service-process.js";
import { SupervisedService } from "../processes/supervised-service.js";
import type { RecordedProcess } from "./cluster-record.js";
import type { Report } from "./progress.js";
import { coordinatorSpec, gatewaySpec, redisSpec, type SpecSources, workerSpec } from "./service-specs.js";
import { watchPipeline } from "./watch-pipeline.js";

export interface ClusterEnvironment extends SpecSources {
  readonly security: Security;
  readonly report: Report;
  /** Called with the coordinator's address, host:port, once it listens. */
  readonly onCoordinator?: (grpc: string) => void;
  /** Called with the running processes at each change. */
  readonly onProcesses: (processes: readonly RecordedProcess[]) => void;
}

/** For a group of services to stop before it is killed. */
const STOP_DEADLINE_MS = 10_000;
const GATEWAY_DEADLINE_MS = 60_000;
const ANSWER_DEADLINE_MS = 5000;

type SpecFactory = (previous: Addresses | undefined) => ServiceSpec;

/** Every service stops before the ones it uses. */
const STOP_ORDER = ["gateway", "coordinator", "workers", "redis"] as const;
type Role = (typeof STOP_ORDER)[number];

/** The processes of a cluster on this machine: started in order, kept running, stopped in order. */
export class Cluster {
  readonly #environment: ClusterEnvironment;
  readonly #services = new Map<Role, readonly SupervisedService[]>();
  readonly #failing = new AbortController();
  readonly #stopping = new AbortController();
  #operations = "";

  constructor(environment: ClusterEnvironment) {
    this.#environment = environment;
  }

  /** host:port of the coordinator's operations server; empty until `start` resolves. */
  get operations(): string {
    return this.#operations;
  }

  /** Resolves with the reason when a service can't be kept running. */
  get failed(): Promise<RhoneError> {
    const { signal } = this.#failing;
    if (signal.aborted) return Promise.resolve(signal.reason);
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason), { once: true }));
  }

  /**
   * Starts everything and returns the gateway's address once it is ready. Throws the first failure; call `stop` then,
   * too.
   */
  async start(): Promise<string> {
    const signal = AbortSignal.any([this.#failing.signal, this.#stopping.signal]);
    await this.#startRedis();
    const { grpc, ops } = await this.#startCoordinator();
    const { report, plan, security, listening } = this.#environment;
    report({ kind: "phase", phase: "workers", text: `0 of ${plan.workers} joined`, done: false });
    const workers = Array.from({ length: plan.workers }, (_, index) => () => {
      return workerSpec(this.#environment, { index, coordinator: grpc });
    });
    const [[gateway]] = await Promise.all([
      this.#start("gateway", [(previous) => gatewaySpec(this.#environment, previous)]),
      this.#start("workers", workers),
      watchPipeline({
        operations: ops,
        security,
        workers: plan.workers,
        admits: listening !== undefined,
        report,
        signal,
      }),
    ]);
    const address = gateway?.http ?? "";
    report({ kind: "phase", phase: "gateway", text: "waiting until it is ready", done: false });
    await untilReady(address, signal);
    report({ kind: "phase", phase: "gateway", text: "sees the pipeline", done: true });
    return address;
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new RhoneError("SHUTTING_DOWN", "The cluster is stopping."));
    for (const role of STOP_ORDER) {
      await Promise.all((this.#services.get(role) ?? []).map((service) => service.stop(STOP_DEADLINE_MS)));
    }
  }

  /** Kills all services at once. */
  kill(): void {
    this.#stopping.abort(new RhoneError("SHUTTING_DOWN", "The cluster was killed."));
    for (const service of this.#allServices()) service.kill();
  }

  async #startRedis(): Promise<void> {
    const { report, redis } = this.#environment;
    report({ kind: "phase", phase: "redis", text: "starting", done: false });
    if (redis.host !== undefined) await this.#start("redis", [() => redisSpec(this.#environment)]);
    report({ kind: "phase", phase: "redis", text: redis.description, done: true });
  }

  async #startCoordinator(): Promise<{ readonly grpc: string; readonly ops: string }> {
    const { report } = this.#environment;
    report({ kind: "phase", phase: "coordinator", text: "starting", done: false });
    const specs = [(previous: Addresses | undefined) => coordinatorSpec(this.#environment, previous)];
    const [{ grpc = "", ops = "" } = {}] = await this.#start("coordinator", specs);
    report({ kind: "phase", phase: "coordinator", text: `listening on ${grpc}`, done: true });
    this.#environment.onCoordinator?.(grpc);
    this.#operations = ops;
    return { grpc, ops };
  }

  async #start(role: Role, specs: readonly SpecFactory[]): Promise<readonly Addresses[]> {
    this.#stopping.signal.throwIfAborted();
    const services = specs.map((spec) => this.#supervise(spec));
    this.#services.set(role, services);
    return Promise.all(services.map((service) => service.start()));
  }

  #supervise(spec: SpecFactory): SupervisedService {
    const { report } = this.#environment;
    return new SupervisedService({
      spec,
      onChange: () => this.#tellProcesses(),
      onRestart: (why) => report({ kind: "warning", text: `${firstLine(why.message)} Restarting it.` }),
      onGiveUp: (why) => this.#failing.abort(why),
    });
  }

  #allServices(): readonly SupervisedService[] {
    return [...this.#services.values()].flat();
  }

  #tellProcesses(): void {
    if (this.#stopping.signal.aborted) return;
    const processes = this.#allServices().flatMap(({ process: running }) => {
      const identity = running === undefined ? null : identifyProcess(running.pid);
      return running === undefined || identity === null ? [] : [{ name: running.name, ...identity }];
    });
    this.#environment.onProcesses(processes);
  }
}

const firstLine = (text: string): string => text.split("\n")[0] ?? "";

/** Waits until the gateway also sees the pipeline. Throws NO_PIPELINE with its last answer. */
async function untilReady(address: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + GATEWAY_DEADLINE_MS;
  let last = "no answer";
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    try {
      const response = await fetch(`http://${address}/ready`, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_DEADLINE_MS)]),
      });
      if (response.ok) return;
      last = await response.text();
    } catch (error) {
      last = String(error);
    }
    await sleep(100, undefined, { signal }).catch(() => {});
  }
  throw new RhoneError(
    "NO_PIPELINE",
    `The gateway is not ready after ${GATEWAY_DEADLINE_MS / 1000} s. Its last answer: ${last}`,
  );
}
