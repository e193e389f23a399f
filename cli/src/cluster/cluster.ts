import { setTimeout as sleep } from "node:timers/promises";
import { hostPort, type JoinablePipeline, loopbackOf, RhoneError, type Security } from "@rhone/common";
import { isTemplateFile } from "@rhone/model";
import { coordinatorPort } from "../enrollment/listening.js";
import type { PipelinePlan } from "../launch/launch-plan.js";
import { steadyPort } from "../processes/ports.js";
import type { Addresses, ServiceSpec, StopTimes } from "../processes/service-process.js";
import { SupervisedService } from "../processes/supervised-service.js";
import { type RecordedProcess, recordedProcesses } from "./cluster-record.js";
import type { ProgressEvent, Report } from "./progress.js";
import { coordinatorSpec, gatewaySpec, redisSpec, type SpecSources, workerSpec } from "./service-specs.js";
import { watchPipeline } from "./watch-pipeline.js";

export interface ClusterEnvironment extends SpecSources {
  readonly security: Security;
  readonly report: Report;
  /** Called once the coordinators listen. */
  readonly onCoordinators?: (pipelines: readonly JoinablePipeline[]) => void;
  /** Called with the running processes at each change. */
  readonly onProcesses: (processes: readonly RecordedProcess[]) => void;
}

/** A group of services that stops with everything else finishes its requests for the first of these, at most. */
const STOP: StopTimes = { hurryAfterMs: 8000, killAfterMs: 10_000 };
const GATEWAY_DEADLINE_MS = 60_000;
const ANSWER_DEADLINE_MS = 5000;

/** A service to start. */
interface Planned {
  readonly spec: (previous: Addresses | undefined) => ServiceSpec;
  /** The pipeline that it belongs to; undefined: all need it. */
  readonly pipeline?: PipelinePlan;
}

interface PlacedCoordinator {
  readonly pipeline: PipelinePlan;
  /** host:port for its workers. */
  readonly address: string;
  readonly listens: Addresses;
}

interface StartedCoordinator {
  readonly pipeline: PipelinePlan;
  readonly grpc: string;
  /** host:port of its operations server. */
  readonly ops: string;
}

/** Every service stops before the ones it uses. */
const STOP_ORDER = ["gateway", "coordinator", "workers", "redis"] as const;
type Role = (typeof STOP_ORDER)[number];

/** The processes of a cluster on this machine: started in order, kept running, stopped in order. */
export class Cluster {
  readonly #environment: ClusterEnvironment;
  readonly #services = new Map<Role, readonly SupervisedService[]>();
  /** The services of each pipeline that is not lost. */
  readonly #pipelines = new Map<PipelinePlan, SupervisedService[]>();
  readonly #failing = new AbortController();
  readonly #stopping = new AbortController();
  #operations = "";
  #isUp = false;

  constructor(environment: ClusterEnvironment) {
    this.#environment = environment;
  }

  /** host:port of the first coordinator's operations server; empty until `start` resolves. */
  get operations(): string {
    return this.#operations;
  }

  /** Resolves with the reason when a service that all need, or the last pipeline, can't be kept running. */
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
    const placed = await this.#placeCoordinators();
    const workers = placed.flatMap(({ pipeline, address }) =>
      Array.from({ length: pipeline.workers }, (_, index) => ({
        pipeline,
        spec: () => workerSpec(this.#environment, { pipeline, index, coordinator: address }),
      })),
    );
    // All at once: workers join as soon as their coordinator listens.
    const [[gateway]] = await Promise.all([
      this.#start("gateway", [{ spec: (previous) => gatewaySpec(this.#environment, previous) }]),
      this.#start("workers", workers),
      this.#startCoordinators(placed).then((started) => this.#watch(started, signal)),
    ]);
    const address = gateway?.http ?? "";
    const { report, plan } = this.#environment;
    report({ kind: "phase", phase: "gateway", text: "waiting until it is ready", done: false });
    for (const { name } of plan.models) await untilReady(address, name, signal);
    const pipelines = plan.pipelines.length === 1 ? "the pipeline" : `all ${plan.pipelines.length} pipelines`;
    report({ kind: "phase", phase: "gateway", text: `sees ${pipelines}`, done: true });
    this.#isUp = true;
    return address;
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new RhoneError("SHUTTING_DOWN", "The cluster is stopping."));
    for (const role of STOP_ORDER) {
      await Promise.all((this.#services.get(role) ?? []).map((service) => service.stop(STOP)));
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
    if (redis.host !== undefined) await this.#start("redis", [{ spec: () => redisSpec(this.#environment) }]);
    report({ kind: "phase", phase: "redis", text: redis.description, done: true });
  }

  /**
   * Where they will listen: at ports that stay theirs, also for the supervisor that comes after this one. So what they
   * held is given back at once.
   */
  #placeCoordinators(): Promise<readonly PlacedCoordinator[]> {
    const { plan, options, dataDir, listening } = this.#environment;
    const host = listening?.place.bind ?? loopbackOf(options.host);
    const portFor = (what: string) => steadyPort({ host, of: `${dataDir.root} ${what}` });
    return Promise.all(
      plan.pipelines.map(async (pipeline, index) => {
        const fixed = listening === undefined ? 0 : coordinatorPort(listening.port, index);
        const port = fixed || (await portFor(`coordinator ${index}`));
        const ops = hostPort(host, await portFor(`operations ${index}`));
        return {
          pipeline,
          address: hostPort(listening?.place.advertise ?? host, port),
          listens: { grpc: hostPort(host, port), ops },
        };
      }),
    );
  }

  /** With their host:port for workers and for operations. */
  async #startCoordinators(placed: readonly PlacedCoordinator[]): Promise<readonly StartedCoordinator[]> {
    const { report } = this.#environment;
    report({ kind: "phase", phase: "coordinator", text: "starting", done: false });
    const planned = placed.map(({ pipeline, listens }) => ({
      pipeline,
      spec: (previous: Addresses = listens) => coordinatorSpec(this.#environment, pipeline, previous),
    }));
    const addresses = await this.#start("coordinator", planned);
    const started = placed.map(({ pipeline }, index) => {
      const { grpc = "", ops = "" } = addresses[index] ?? {};
      return { pipeline, grpc, ops };
    });
    const places = started.map(({ grpc }) => grpc).join(", ");
    report({ kind: "phase", phase: "coordinator", text: `listening on ${places}`, done: true });
    this.#environment.onCoordinators?.(started.map(joinable));
    this.#operations = started[0]?.ops ?? "";
    return started;
  }

  /** Until all pipelines are ready. */
  async #watch(started: readonly StartedCoordinator[], signal: AbortSignal): Promise<void> {
    const { report, security, listening } = this.#environment;
    const joining = started.reduce((sum, { pipeline: { workers } }) => sum + workers, 0);
    report({ kind: "phase", phase: "workers", text: `0 of ${joining} joined`, done: false });
    const admits = listening !== undefined;
    const watched = started.map(({ pipeline, ops: operations }) => {
      const { workers } = pipeline;
      return watchPipeline({ operations, security, workers, admits, report: reportOf(pipeline, report), signal });
    });
    await Promise.all(watched);
  }

  async #start(role: Role, planned: readonly Planned[]): Promise<readonly Addresses[]> {
    this.#stopping.signal.throwIfAborted();
    const services = planned.map((each) => this.#supervise(each));
    this.#services.set(role, services);
    return Promise.all(services.map((service) => service.start()));
  }

  #supervise({ spec, pipeline }: Planned): SupervisedService {
    const { report } = this.#environment;
    const service = new SupervisedService({
      spec,
      onChange: () => this.#tellProcesses(),
      onRestart: (why) => report({ kind: "warning", text: `${firstLine(why.message)} Restarting it.` }),
      onStopped: (title) => report({ kind: "note", text: `${title} was stopped in order. Starting it again.` }),
      onGiveUp: (why) => this.#giveUp(pipeline, why),
    });
    if (pipeline !== undefined) this.#pipelines.set(pipeline, [...(this.#pipelines.get(pipeline) ?? []), service]);
    return service;
  }

  /** A pipeline of several is stopped, and the others go on; everything else ends the cluster. */
  #giveUp(pipeline: PipelinePlan | undefined, why: RhoneError): void {
    if (pipeline === undefined || !this.#isUp || this.#pipelines.size === 1) {
      this.#failing.abort(why);
      return;
    }
    const services = this.#pipelines.get(pipeline);
    if (services === undefined) return;
    this.#pipelines.delete(pipeline);
    const text = `${why.message}\n${pipeline.label} is not served any more; the other pipelines go on.`;
    this.#environment.report({ kind: "warning", text });
    for (const service of services) void service.stop(STOP);
  }

  #allServices(): readonly SupervisedService[] {
    return [...this.#services.values()].flat();
  }

  #tellProcesses(): void {
    if (this.#stopping.signal.aborted) return;
    this.#environment.onProcesses(recordedProcesses(this.#allServices()));
  }
}

/** As machines that join are told of it. */
function joinable({ pipeline, grpc }: { readonly pipeline: PipelinePlan; readonly grpc: string }): JoinablePipeline {
  const { name: model, chatTemplate } = pipeline.model;
  const isName = chatTemplate !== undefined && !isTemplateFile(chatTemplate);
  return { model, coordinator: grpc, workers: pipeline.workers, ...(isName && { chatTemplate }) };
}

const firstLine = (text: string): string => text.split("\n")[0] ?? "";

/** Tells of which pipeline the news are, where there are several. */
function reportOf({ label }: PipelinePlan, report: Report): Report {
  if (label === "") return report;
  return (event: ProgressEvent) =>
    report(event.kind === "phase" ? { ...event, text: `${label}: ${event.text}` } : event);
}

/** Waits until the gateway also sees a pipeline of the model. Throws NO_PIPELINE with its last answer. */
export async function untilReady(address: string, model: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + GATEWAY_DEADLINE_MS;
  let last = "no answer";
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    try {
      const response = await fetch(`http://${address}/ready?model=${encodeURIComponent(model)}`, {
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
