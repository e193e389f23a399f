import { setTimeout as sleep } from "node:timers/promises";
import type { RunningCluster } from "./start-cluster.js";

interface Chunk {
  readonly choices?: readonly { readonly token_ids?: readonly number[] }[];
  readonly error?: unknown;
}

const RETRY_MS = 100;

/** A resumable completion, read as docs/api.md tells clients: where the connection breaks, they go on. */
export class ResumingStream {
  readonly ids: number[] = [];
  /** How often the connection broke. */
  breaks = 0;
  /** The longest time between two chunks, in milliseconds. */
  longestGapMs = 0;
  /** All token ids. Rejects when the stream reports an error, or is not whole before the deadline. */
  readonly done: Promise<readonly number[]>;
  readonly #cluster: RunningCluster;
  readonly #deadline: number;
  #lastId = "";
  #heardAt = Number.NaN;

  constructor(cluster: RunningCluster, body: object, deadlineMs: number) {
    this.#cluster = cluster;
    this.#deadline = Date.now() + deadlineMs;
    this.done = this.#read({ ...body, stream: true, stream_options: { resumable: true }, return_token_ids: true });
    this.done.catch(() => {}); // `done` still rejects for its readers
  }

  async #read(body: object): Promise<readonly number[]> {
    const first = await this.#cluster.post("/v1/completions", body);
    if (!first.ok) throw new Error(`answered ${first.status}: ${await first.text()}`);
    const url = `${this.#cluster.url}${first.headers.get("content-location")}`;
    for (let answer: Response | null = first; Date.now() < this.#deadline; answer = await this.#resume(url)) {
      if (answer !== null && (await this.#isWhole(answer))) return this.ids;
    }
    throw new Error(`the stream has ${this.ids.length} tokens and was not whole in time`);
  }

  /** null while no gateway answers. */
  async #resume(url: string): Promise<Response | null> {
    this.breaks++;
    await sleep(RETRY_MS);
    const headers: Record<string, string> = this.#lastId === "" ? {} : { "last-event-id": this.#lastId };
    const answer = await fetch(url, { headers }).catch(() => null);
    return answer?.ok ? answer : null;
  }

  /** Reads events up to [DONE]; false when the connection breaks before. */
  async #isWhole(answer: Response): Promise<boolean> {
    let rest = "";
    try {
      for await (const part of (answer.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
        const events = (rest + part).split("\n\n");
        rest = events.pop() ?? "";
        for (const event of events) if (this.#isLast(event)) return true;
      }
    } catch (error) {
      if (error instanceof StreamError) throw error;
    }
    return false;
  }

  #isLast(event: string): boolean {
    const data = /^data: (.*)$/m.exec(event)?.[1] ?? "{}";
    if (data === "[DONE]") return true;
    const { choices = [], error } = JSON.parse(data) as Chunk;
    if (error !== undefined) throw new StreamError(JSON.stringify(error));
    const now = performance.now();
    if (now - this.#heardAt > this.longestGapMs) this.longestGapMs = now - this.#heardAt;
    this.#heardAt = now;
    this.ids.push(...choices.flatMap(({ token_ids = [] }) => token_ids));
    this.#lastId = /^id: (.*)$/m.exec(event)?.[1] ?? this.#lastId;
    return false;
  }
}

/** The stream itself reported an error: no break of its connection. */
class StreamError extends Error {}
