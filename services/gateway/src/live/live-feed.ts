import {
  anonymousStatus,
  type ClusterEvent,
  type ClusterStatus,
  LANES,
  type LiveHello,
  type LivePipeline,
  type LiveQueue,
  type LiveSample,
  type LiveTick,
  toRhoneError,
} from "@rhone/common";
import type { ClusterRecords } from "../monitoring/cluster-records.js";
import type { ClusterState } from "../queue/cluster-state.js";
import { eventsBetween } from "./cluster-events.js";
import type { RecentRequests, RequestsReader } from "./recent-requests.js";
import { TokenRates } from "./token-rates.js";

const TICK_MS = 1000;
/** Ten minutes of seconds. */
const MOST_SAMPLES = 600;
const MOST_EVENTS = 200;

export interface LiveFeedOptions {
  readonly cluster: ClusterState;
  readonly records: Pick<ClusterRecords, "depths">;
  readonly recent: RecentRequests;
}

export interface LiveReader extends RequestsReader {
  /** Is told ids and addresses. */
  readonly seesInside: boolean;
}

/** What a reader has been sent. */
export interface LivePosition {
  readonly event: number;
  readonly request: number;
}

/** The coordinators as some may see them, with a log of what happened to them. */
class View {
  readonly #shows: (statuses: readonly ClusterStatus[]) => readonly ClusterStatus[];
  readonly events: ClusterEvent[] = [];
  #statuses: readonly ClusterStatus[] = [];
  #json = "[]";
  #lastId = 0;

  constructor(shows: (statuses: readonly ClusterStatus[]) => readonly ClusterStatus[]) {
    this.#shows = shows;
  }

  get lastId(): number {
    return this.#lastId;
  }

  /** The pipelines as JSON: readers of the same view are sent the same text. */
  get json(): string {
    return this.#json;
  }

  look(statuses: readonly ClusterStatus[]): void {
    const shown = this.#shows(statuses);
    for (const event of eventsBetween(this.#statuses, shown)) this.events.push({ id: ++this.#lastId, ...event });
    this.events.splice(0, this.events.length - MOST_EVENTS);
    this.#statuses = shown;
    this.#json = JSON.stringify(shown.map(withoutCurves));
  }

  eventsAfter(id: number): readonly ClusterEvent[] {
    return this.events.filter((event) => event.id > id);
  }
}

const withoutCurves = (status: ClusterStatus): LivePipeline => ({
  ...status,
  workers: status.workers.map(({ stepTimes: _, ...worker }) => worker),
});

/**
 * Looks at the cluster each second, keeps the last ten minutes of figures and the last 200 events, and tells its
 * readers. All of them share one look.
 */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #inside = new View((statuses) => statuses);
  readonly #outside = new View((statuses) => statuses.map(anonymousStatus));
  readonly #samples: LiveSample[] = [];
  readonly #readers = new Set<() => void>();
  readonly #rates = new TokenRates();
  #queues: readonly LiveQueue[] = [];
  #problem: string | null = null;
  #looking = false;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  /** Looks each second until the returned function is called. */
  start(): () => void {
    void this.look();
    const timer = setInterval(() => void this.look(), TICK_MS);
    return () => clearInterval(timer);
  }

  /** One look; a second one while it takes is none. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const statuses = await this.#options.cluster.coordinators();
      this.#queues = await this.#queuesOf(statuses);
      this.#sample(statuses);
      this.#inside.look(statuses);
      this.#outside.look(statuses);
      this.#problem = null;
    } catch (error) {
      this.#problem = toRhoneError(error).message;
    } finally {
      this.#looking = false;
    }
    for (const tell of this.#readers) tell();
  }

  /** Calls `tell` after each look, until the returned function is called. */
  follow(tell: () => void): () => void {
    this.#readers.add(tell);
    return () => void this.#readers.delete(tell);
  }

  /** What a reader begins with, and how far it goes. */
  hello(reader: LiveReader): {
    readonly hello: Pick<LiveHello, "samples" | "events" | "requests">;
    readonly at: LivePosition;
  } {
    const view = this.#viewOf(reader);
    const requests = this.#options.recent.since(0, reader);
    const at = { event: view.lastId, request: this.#options.recent.version };
    return { hello: { samples: this.#samples, events: view.events, requests }, at };
  }

  /** The JSON of a tick for a reader that has been sent everything up to `seen`. */
  tick(reader: LiveReader, seen: LivePosition): { readonly json: string; readonly at: LivePosition } {
    const view = this.#viewOf(reader);
    const rest: Omit<LiveTick, "pipelines"> = {
      atMs: Date.now(),
      problem: this.#problem,
      queues: this.#queues,
      sample: this.#samples.at(-1) ?? EMPTY,
      events: view.eventsAfter(seen.event),
      requests: this.#options.recent.since(seen.request, reader),
    };
    const at = { event: view.lastId, request: this.#options.recent.version };
    return { json: `{"pipelines":${view.json},${JSON.stringify(rest).slice(1)}`, at };
  }

  async #queuesOf(statuses: readonly ClusterStatus[]): Promise<readonly LiveQueue[]> {
    const names = [...new Set(statuses.map(({ model }) => model.name))].sort();
    const queues = names.flatMap((model) => LANES.map((lane) => ({ model, lane })));
    const depths = await this.#options.records.depths(queues);
    return queues.map((queue, at) => {
      const { waiting = 0, oldestMs = 0 } = depths[at] ?? {};
      return { ...queue, waiting, oldestMs };
    });
  }

  #viewOf({ seesInside }: LiveReader): View {
    return seesInside ? this.#inside : this.#outside;
  }

  #sample(statuses: readonly ClusterStatus[]): void {
    const waiting = (lane: LiveQueue["lane"]): number =>
      this.#queues.reduce((sum, queue) => sum + (queue.lane === lane ? queue.waiting : 0), 0);
    this.#samples.push({
      atMs: Date.now(),
      ...this.#rates.of(statuses),
      firstTokenMs: median(this.#options.recent.takeFirstTokens()),
      running: statuses.reduce((sum, { sequences }) => sum + sequences.running, 0),
      interactive: waiting("interactive"),
      batch: waiting("batch"),
    });
    this.#samples.splice(0, this.#samples.length - MOST_SAMPLES);
  }
}

const EMPTY: LiveSample = {
  ...{ atMs: 0, generated: 0, prompt: 0, firstTokenMs: null },
  ...{ running: 0, interactive: 0, batch: 0 },
};

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}
