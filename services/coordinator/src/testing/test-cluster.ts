import { setTimeout as delay } from "node:timers/promises";
import {
  askOperations,
  type ClusterStatus,
  checkClusterStatus,
  createLogger,
  decodeEvents,
  eventsChannel,
  type GenerationEvent,
  type GenerationJob,
  type JobQueue,
  loadConfig,
  openSecurity,
  queueName,
  REDIS_PREFIX,
  type Security,
  Shutdown,
  takeTurn,
} from "@rhone/common";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { coordinatorSettings } from "../config.js";
import { type CoordinatorAddresses, startCoordinator } from "../coordinator.js";
import type { ModelFacts } from "../model/model-facts.js";
import { fakeModel } from "./fake-model.js";

const logger = createLogger({ service: "coordinator", level: "silent" });

const FAKE_QUEUE: JobQueue = { model: fakeModel().served.name, lane: "interactive" };

/** A gateway's side of the queue: puts jobs on it and gathers the events that are announced. */
export class TestGateway {
  readonly redis: Redis;
  readonly #subscriber: Redis;
  readonly #queues = new Map<string, Queue>();
  readonly #events = new Map<string, GenerationEvent[]>();
  #heard: () => void = () => {};

  private constructor(url: string) {
    this.redis = new Redis(url, { maxRetriesPerRequest: null });
    this.#subscriber = this.redis.duplicate();
    for (const redis of [this.redis, this.#subscriber]) redis.on("error", () => {});
  }

  static async open(url: string): Promise<TestGateway> {
    const gateway = new TestGateway(url);
    await gateway.#subscriber.subscribe(eventsChannel("gateway"));
    gateway.#subscriber.on("message", (_channel, message) => {
      for (const event of decodeEvents(message)) gateway.events(event.requestId).push(event);
      gateway.#heard();
    });
    return gateway;
  }

  async submit(job: GenerationJob): Promise<void> {
    const queue = this.queue(job);
    const turn = await takeTurn(this.redis, job, { waitingKey: queue.toKey("prioritized"), most: 1e9 });
    await queue.add("generate", job, { jobId: job.requestId, priority: turn });
  }

  queue(of: JobQueue): Queue {
    const name = queueName(of);
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const queue = new Queue(name, { connection: this.redis, prefix: REDIS_PREFIX });
    queue.on("error", () => {});
    this.#queues.set(name, queue);
    return queue;
  }

  /** Puts a job on the queue without checking it. */
  async submitRaw(data: unknown): Promise<void> {
    await this.queue(FAKE_QUEUE).add("generate", data);
  }

  /** The announced events of a request so far. */
  events(requestId: string): GenerationEvent[] {
    const known = this.#events.get(requestId) ?? [];
    this.#events.set(requestId, known);
    return known;
  }

  /** Resolves when the events satisfy `condition`. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  /** All events of a request, when it has ended. */
  async finished(requestId: string): Promise<readonly GenerationEvent[]> {
    await this.until(() => this.events(requestId).some((event) => event.finish !== undefined));
    return this.events(requestId);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    this.#subscriber.disconnect();
    this.redis.disconnect();
  }
}

/** A coordinator on free ports, with small pages and steps. */
export class TestCoordinator {
  readonly addresses: CoordinatorAddresses;
  readonly #shutdown: Shutdown;
  readonly #security: Security;

  private constructor(addresses: CoordinatorAddresses, shutdown: Shutdown, security: Security) {
    this.addresses = addresses;
    this.#shutdown = shutdown;
    this.#security = security;
  }

  static async start(url: string, flags: readonly string[], model: ModelFacts = fakeModel()): Promise<TestCoordinator> {
    const base = ["--port", "0", "--ops-port", "0", "--redis-url", url, "--model-path", "unused", "--page-size", "4"];
    const config = loadConfig(coordinatorSettings, {}, [
      ...base,
      "--allow-plaintext",
      "true",
      "--max-rows",
      "16",
      ...flags,
    ]);
    const shutdown = new Shutdown(logger);
    const addresses = await startCoordinator({ config, model, logger, shutdown });
    const security = openSecurity(config);
    shutdown.add("the test's security", () => security.close());
    return new TestCoordinator(addresses, shutdown, security);
  }

  async status(): Promise<ClusterStatus> {
    const options = { security: this.#security, signal: AbortSignal.timeout(10_000) };
    const { body } = await askOperations(this.addresses.ops, "/status", options);
    return checkClusterStatus(JSON.parse(body), "The coordinator");
  }

  /** As `rhone drain` asks. */
  async drain(worker: string): Promise<{ readonly code: number; readonly body: unknown }> {
    const options = { security: this.#security, signal: AbortSignal.timeout(10_000), method: "POST" } as const;
    const { code, body } = await askOperations(this.addresses.ops, `/drain?worker=${worker}`, options);
    return { code, body: JSON.parse(body) };
  }

  /** Asks until the status satisfies `condition`, and returns it. */
  async until(condition: (status: ClusterStatus) => boolean): Promise<ClusterStatus> {
    for (;;) {
      const status = await this.status();
      if (condition(status)) return status;
      await delay(10);
    }
  }

  async close(): Promise<void> {
    await this.#shutdown.run();
  }
}
