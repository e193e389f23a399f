import type { ClusterStatus, GenerationEvent, GenerationJob } from "@rhone/common";
import type { ClusterState } from "../queue/cluster-state.js";
import type { GenerateOptions, GenerationClient, JobsState } from "../queue/generation-client.js";
import { status } from "./coordinator-status.js";

/** What a job generates: events without the fields that follow from their place. */
export type Script = (job: GenerationJob) => Iterable<Omit<GenerationEvent, "requestId" | "ordinal">>;

/** " He" and "llo", generated in two events. */
export const hello: Script = ({ promptIds }) => [
  { tokens: [72], text: " He" },
  {
    tokens: [73],
    text: "llo",
    finish: { reason: "stop", matched: 2 },
    usage: { promptTokens: promptIds.length, completionTokens: 2, cachedTokens: 0 },
  },
];

/** A cluster in this process: each job's events follow from the script, at once. */
export class FakeCluster implements GenerationClient, ClusterState {
  /** Jobs that were generated, and ids of those that were cancelled, in order. */
  readonly jobs: GenerationJob[] = [];
  readonly cancelled: string[] = [];
  readonly #script: Script;
  /** One of the model "tiny", and what else a test adds. */
  readonly statuses: ClusterStatus[];

  constructor(script: Script = hello, state: ClusterStatus["state"] = "ready") {
    this.#script = script;
    const model = { name: "tiny", contextLength: 64, fingerprint: "abcdef0123456789" };
    const about = { coordinator: "c1", state, startedAtMs: 1_700_000_000_000, model };
    const worker = {
      worker: "b-7",
      address: "10.0.0.7:7200",
      operations: "10.0.0.7:7201",
      hostname: "b",
      pid: 77,
      layers: [0, 2],
    };
    const reason = state === "ready" ? null : "Worker b-7 at 10.0.0.7:7200 was lost";
    const inside = { operations: "10.0.0.1:7101", reason, workers: [worker] };
    const { pages, sequences, tokens, kvType } = status("c1");
    this.statuses = [{ ...about, ...inside, pages, sequences, tokens, kvType } as unknown as ClusterStatus];
  }

  async *generate(
    job: GenerationJob,
    _signal?: AbortSignal,
    options?: GenerateOptions,
  ): AsyncGenerator<GenerationEvent, void, undefined> {
    this.jobs.push(job);
    options?.queued?.();
    yield* this.#events(job.requestId);
  }

  follow({ requestId }: Pick<GenerationJob, "requestId">): AsyncGenerator<GenerationEvent, void, undefined> {
    return this.#events(requestId);
  }

  async logLength({ requestId }: Pick<GenerationJob, "requestId">): Promise<number> {
    const job = this.jobs.find((one) => one.requestId === requestId);
    return job === undefined ? 0 : [...this.#script(job)].length;
  }

  async hasEnded({ requestId }: Pick<GenerationJob, "requestId">): Promise<boolean> {
    const job = this.jobs.find((one) => one.requestId === requestId);
    return job !== undefined && [...this.#script(job)].some(({ finish }) => finish !== undefined);
  }

  async stateOf(jobs: readonly Pick<GenerationJob, "requestId">[]): Promise<JobsState> {
    const ids = new Set(this.jobs.map(({ requestId }) => requestId));
    if (!jobs.some(({ requestId }) => ids.has(requestId))) return "absent";
    const ends = await Promise.all(jobs.map((job) => this.hasEnded(job)));
    return ends.every(Boolean) ? "ended" : "open";
  }

  async cancel({ requestId }: Pick<GenerationJob, "requestId">): Promise<void> {
    this.cancelled.push(requestId);
  }

  async coordinators(): Promise<readonly ClusterStatus[]> {
    return this.statuses;
  }

  async *#events(requestId: string): AsyncGenerator<GenerationEvent, void, undefined> {
    const job = this.jobs.find((one) => one.requestId === requestId);
    let ordinal = 0;
    if (job !== undefined) for (const event of this.#script(job)) yield { requestId, ordinal: ordinal++, ...event };
  }
}
