import { type GenerationEvent, type GenerationJob, ordinalAfter } from "@rhone/common";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { startValkey, type TestValkey } from "../../../../packages/common/src/testing/valkey.js";
import { fakeJob } from "./fake-job.js";
import { fakeModel } from "./fake-model.js";
import { FakeWorker, type FakeWorkerOptions } from "./fake-worker.js";
import { runAlone } from "./next-token.js";
import { TestCoordinator, TestGateway } from "./test-cluster.js";

export const tokensOf = (events: readonly GenerationEvent[]) => events.flatMap((event) => event.tokens);

export const prompt = (length: number, seed = 1) =>
  Array.from({ length }, (_, index) => (index * 31 + seed * 17) % 997);

/** Jobs r0, r1, … with prompts of different lengths. */
export const jobs = (count: number, maxTokens = 12) =>
  Array.from({ length: count }, (_, index) =>
    fakeJob({ requestId: `r${index}`, promptIds: prompt(5 + index * 3, index), maxTokens }),
  );

/** For the tests of a file: one Redis, and for each test a gateway, and what it starts of a cluster. */
export class TestCluster {
  readonly workers: FakeWorker[] = [];
  #valkey: TestValkey | undefined;
  #gateway: TestGateway | undefined;
  readonly #coordinators: TestCoordinator[] = [];

  private constructor() {
    beforeAll(async () => {
      this.#valkey = await startValkey();
    });
    beforeEach(async () => {
      this.#gateway = await TestGateway.open(this.url);
      await this.#gateway.redis.flushall();
    });
    afterEach(async () => {
      for (const worker of this.workers.splice(0)) worker.kill();
      for (const coordinator of this.#coordinators.splice(0)) await coordinator.close();
      await this.#gateway?.close();
    });
    afterAll(() => this.#valkey?.stop());
  }

  /** At the top of a file. */
  static use(): TestCluster {
    return new TestCluster();
  }

  get gateway(): TestGateway {
    return present(this.#gateway);
  }

  /** The one that was started last. */
  get coordinator(): TestCoordinator {
    return present(this.#coordinators.at(-1));
  }

  /** A coordinator without workers. */
  async start(flags: readonly string[], model = fakeModel()): Promise<TestCoordinator> {
    const coordinator = await TestCoordinator.start(this.url, flags, model);
    this.#coordinators.push(coordinator);
    return coordinator;
  }

  async join(worker: string, options: Partial<FakeWorkerOptions> = {}): Promise<FakeWorker> {
    const joined = await FakeWorker.start({ worker, coordinator: this.coordinator.addresses.grpc, ...options });
    this.workers.push(joined);
    return joined;
  }

  /** A coordinator whose workers w0, w1, … are ready. */
  async run(count: number, flags: readonly string[] = [], model = fakeModel()): Promise<TestCoordinator> {
    const coordinator = await this.start(["--workers", String(count), ...flags], model);
    for (let index = 0; index < count; index++) await this.join(`w${index}`);
    await coordinator.until((status) => status.state === "ready");
    return coordinator;
  }

  /** Expects each job to end with the tokens that it gets alone, none lost, doubled or out of order. */
  async expectSolo(expected: readonly GenerationJob[], slidingWindow = 0): Promise<void> {
    for (const job of expected) {
      const events = await this.gateway.finished(job.requestId);
      expect(events.map((event) => event.ordinal)).toEqual([0, ...events.slice(0, -1).map(ordinalAfter)]);
      expect(tokensOf(events)).toEqual(runAlone(job.promptIds, job.maxTokens, slidingWindow).tokens);
    }
  }

  /** Of Redis. */
  get url(): string {
    return present(this.#valkey).url;
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("it is not started");
  return value;
}
