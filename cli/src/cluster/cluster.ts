import { setTimeout as sleep } from "node:timers/promises";
import { RhoneError } from "@rhone/common";
import type { Report } from "./progress-event.js";
import type { RecordedProcess } from "./cluster-record.js";
import { identifyProcess } from "./process-identity.js";
import { coordinatorSpec, gatewaySpec, redisSpec, type SpecSources, workerSpec } from "./service-specs.js";
import type { Addresses, ServiceSpec } from "./service-process.js";
import { SupervisedService } from "./supervised-service.js";
import { watchPipeline } from "./watch-pipeline.js";

export interface ClusterEnvironment extends SpecSources {
  readonly report: Report;
  /** The processes that run now; called at each change. */
  readonly onProcesses: (processes: readonly RecordedProcess[]) => void;
}

/** For one group of services to end; then they are killed. */
const STOP_DEADLINE_MS = 10_000;
const GATEWAY_DEADLINE_MS = 60_000;

/** The processes of a cluster on this machine: started in order, kept running, stopped in the reverse order. */
export class Cluster {
  readonly #environment: ClusterEnvironment;
  /** In the order of their start; what stands together starts and stops at the same time. */
  readonly #groups: SupervisedService[][] = [];
  readonly #failing = new AbortController();
  #stopping = false;

  constructor(environment: ClusterEnvironment) {
    this.#environment = environment;
  }

  /** Resolves with the reason when a service could not be kept running. */
  get failed(): Promise<RhoneError> {
    const { signal } = this.#failing;
    if (signal.aborted) return Promise.resolve(signal.reason);
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason), { once: true }));
  }

  /** Brings all up and returns the gateway's address when it answers. Throws the first failure; `stop` is due then, too. */
  async start(signal: AbortSignal): Promise<string> {
    const either = AbortSignal.any([signal, this.#failing.signal]);
    const { report, plan, redis } = this.#environment;
    if (redis.host !== undefined) {
      report({ kind: "phase", phase: "redis", text: "starting", done: false });
      await this.#startOne(() => redisSpec(this.#environment));
    }
    report({ kind: "phase", phase: "redis", text: redis.description, done: true });

    report({ kind: "phase", phase: "coordinator", text: "starting", done: false });
    const { grpc = "", ops = "" } = await this.#startOne((previous) => coordinatorSpec(this.#environment, previous));
    report({ kind: "phase", phase: "coordinator", text: `listens on ${grpc}`, done: true });

    report({ kind: "phase", phase: "workers", text: `0/${plan.workers} joined`, done: false });
    either.throwIfAborted();
    const specs = Array.from({ length: plan.workers }, (_, index) => () => {
      return workerSpec(this.#environment, { index, coordinator: grpc });
    });
    const [, gateway] = await Promise.all([
      this.#startGroup(specs),
      this.#startOne((previous) => gatewaySpec(this.#environment, previous)),
      watchPipeline({ operations: ops, workers: plan.workers, report, signal: either }),
    ]);
    const address = gateway.http ?? "";
    report({ kind: "phase", phase: "gateway", text: "waiting for its first answer", done: false });
    await untilReady(address, either);
    report({ kind: "phase", phase: "gateway", text: `listens on ${address}`, done: true });
    return address;
  }

  /** Gateway, workers and coordinator, Redis: nothing that still works loses what it works with. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const group of this.#groups.toReversed()) {
      await Promise.all(group.map((service) => service.stop(STOP_DEADLINE_MS)));
    }
  }

  /** At once, whatever they do. */
  kill(): void {
    this.#stopping = true;
    for (const service of this.#groups.flat()) service.kill();
  }

  async #startOne(spec: (previous: Addresses | undefined) => ServiceSpec): Promise<Addresses> {
    const [addresses = {}] = await this.#startGroup([spec]);
    return addresses;
  }

  async #startGroup(specs: readonly ((previous: Addresses | undefined) => ServiceSpec)[]): Promise<Addresses[]> {
    const group = specs.map((spec) => this.#supervise(spec));
    this.#groups.push(group);
    return Promise.all(group.map((service) => service.start()));
  }

  #supervise(spec: (previous: Addresses | undefined) => ServiceSpec): SupervisedService {
    const { report } = this.#environment;
    const { name } = spec(undefined);
    return new SupervisedService({
      spec,
      onChange: () => this.#tellProcesses(),
      onRestart: (why) => report({ kind: "note", text: `${name} is started again. ${firstLine(why.message)}` }),
      onGiveUp: (why) => this.#failing.abort(why),
    });
  }

  #tellProcesses(): void {
    const processes = this.#groups.flat().flatMap((service) => {
      const identity = service.process === undefined ? null : identifyProcess(service.process.pid);
      return service.process === undefined || identity === null ? [] : [{ name: service.process.name, ...identity }];
    });
    if (!this.#stopping) this.#environment.onProcesses(processes);
  }
}

const firstLine = (text: string): string => text.split("\n")[0] ?? "";

/** The gateway listens; now it must also see the pipeline. Throws NO_PIPELINE with what it last said. */
async function untilReady(address: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + GATEWAY_DEADLINE_MS;
  let last = "no answer";
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    try {
      const response = await fetch(`http://${address}/ready`, { signal });
      if (response.ok) return;
      last = await response.text();
    } catch (error) {
      last = String(error);
    }
    await sleep(100, undefined, { signal });
  }
  throw new RhoneError("NO_PIPELINE", `The gateway is not ready after ${GATEWAY_DEADLINE_MS / 1000} s: ${last}`);
}
