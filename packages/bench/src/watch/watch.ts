import { Agent, type IncomingMessage, request } from "node:http";
import { authorization, DONE, EventReader } from "@rhone/client";
import { LongestWait } from "./longest-wait.js";
import { residentBytes } from "./resident-bytes.js";

export interface WatchedCluster {
  /** http://host:port of a gateway. */
  readonly url: string;
  readonly apiKey: string | undefined;
  /** Of the stream; it is sent again whenever it has ended. */
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  /** Processes whose memory is watched, on this machine. */
  readonly pids: readonly number[];
}

/** What another client saw in a span of time. */
export interface Sighting {
  /** Longest time between two chunks of a stream. */
  readonly gapMs: number;
  /** Longest time from sending a stream to its first chunk; 0 when none was sent. */
  readonly beginMs: number;
  readonly healthMs: number;
  readonly tokens: number;
  /** Streams that failed. */
  readonly broken: number;
  /** Resident bytes by process id; a process that has ended has none. */
  readonly memory: Readonly<Record<number, { readonly most: number; readonly last: number }>>;
}

const HEALTH_MS = 20;
const MEMORY_MS = 50;
/** Before a stream that failed is sent again. */
const AGAIN_MS = 50;

/** A client with one stream after another, which asks /health every 20 ms and looks at the processes' memory. */
export class Watch {
  readonly #cluster: WatchedCluster;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #gap = new LongestWait();
  readonly #beginning = new LongestWait();
  readonly #health = new LongestWait();
  readonly #memory = new Map<number, { most: number; last: number }>();
  #tokens = 0;
  #broken = 0;
  #isClosed = false;

  constructor(cluster: WatchedCluster) {
    this.#cluster = cluster;
    void this.#stream();
    void this.#askHealth();
    this.#weigh();
    this.#timers.push(setInterval(() => this.#weigh(), MEMORY_MS));
  }

  /** What was seen since the last call. */
  take(): Sighting {
    const now = performance.now();
    this.#weigh();
    const memory = Object.fromEntries([...this.#memory].map(([pid, seen]) => [pid, { ...seen }]));
    const waits = {
      gapMs: this.#gap.take(now),
      beginMs: this.#beginning.take(now),
      healthMs: this.#health.take(now),
    };
    const counted = { tokens: this.#tokens, broken: this.#broken, memory };
    [this.#tokens, this.#broken] = [0, 0];
    this.#memory.clear();
    return { ...waits, ...counted };
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#agent.destroy();
  }

  async #stream(): Promise<void> {
    const { prompt, maxTokens } = this.#cluster;
    const fields = { temperature: 0, ignore_eos: true, stream: true, return_token_ids: true };
    const body = JSON.stringify({ prompt, max_tokens: maxTokens, ...fields });
    while (!this.#isClosed) {
      this.#beginning.begin(performance.now());
      const isWhole = await this.#send("/v1/completions", body)
        .then((response) => this.#read(response))
        .catch(() => false);
      this.#gap.drop();
      if (isWhole) continue;
      this.#broken++;
      await pause(AGAIN_MS);
    }
  }

  /** Whether the stream ended as it should. */
  async #read(response: IncomingMessage): Promise<boolean> {
    const reader = new EventReader();
    let last = "";
    for await (const bytes of response) {
      const now = performance.now();
      for (const data of reader.push(bytes as Buffer)) {
        last = data;
        if (!data.includes('"token_ids"')) continue;
        this.#tokens++;
        this.#beginning.end(now);
        this.#gap.end(now);
        this.#gap.begin(now);
      }
    }
    return last === DONE;
  }

  async #askHealth(): Promise<void> {
    while (!this.#isClosed) {
      const askedAt = performance.now();
      this.#health.begin(askedAt);
      await this.#send("/health")
        .then((response) => response.resume().toArray())
        .catch(() => {}); // the wait goes on when it is asked again
      this.#health.end(performance.now());
      await pause(Math.max(0, askedAt + HEALTH_MS - performance.now()));
    }
  }

  #weigh(): void {
    for (const pid of this.#cluster.pids) {
      const last = residentBytes(pid);
      if (last === null) continue;
      this.#memory.set(pid, { last, most: Math.max(last, this.#memory.get(pid)?.most ?? 0) });
    }
  }

  #send(path: string, body?: string): Promise<IncomingMessage> {
    const { url, apiKey } = this.#cluster;
    const headers = { "content-type": "application/json", ...authorization(apiKey) };
    const method = body === undefined ? "GET" : "POST";
    return new Promise((resolve, reject) => {
      request(`${url}${path}`, { agent: this.#agent, method, headers })
        .once("response", resolve)
        .once("error", reject)
        .end(body);
    });
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
