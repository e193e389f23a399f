import type { RunningCluster } from "./start-cluster.js";

interface Chunk {
  readonly choices?: readonly { readonly token_ids?: readonly number[] }[];
  readonly error?: unknown;
}

/** A streamed completion, read as its chunks arrive. */
export class TokenStream {
  readonly #ids: number[] = [];
  readonly #waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();
  /** All token ids. Rejects when the stream breaks, reports an error or ends without [DONE]. */
  readonly done: Promise<readonly number[]>;

  constructor(cluster: RunningCluster, body: object) {
    this.done = this.#read(cluster, body);
    this.done.catch(() => {}); // `done` still rejects for its readers
  }

  get length(): number {
    return this.#ids.length;
  }

  /** Resolves when `count` tokens have arrived. Rejects when the stream ends or fails before that. */
  async reaches(count: number): Promise<void> {
    const reached = new Promise<void>((resolve) => this.#waiting.add({ count, resolve }));
    this.#notify();
    await Promise.race([reached, this.done]);
    if (this.length < count) throw new Error(`the stream ended after ${this.length} of ${count} tokens`);
  }

  async #read(cluster: RunningCluster, body: object): Promise<readonly number[]> {
    const response = await cluster.post("/v1/completions", { ...body, stream: true, return_token_ids: true });
    if (!response.ok) throw new Error(`answered ${response.status}: ${await response.text()}`);
    let rest = "";
    for await (const part of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      const events = (rest + part).split("\n\n");
      rest = events.pop() ?? "";
      for (const event of events) {
        if (event === "data: [DONE]") return this.#ids;
        this.#take(JSON.parse(event.slice("data: ".length)) as Chunk);
      }
    }
    throw new Error(`the stream ended without [DONE] after ${this.length} tokens`);
  }

  #take({ choices = [], error }: Chunk): void {
    if (error !== undefined) throw new Error(`the stream reported ${JSON.stringify(error)}`);
    this.#ids.push(...choices.flatMap(({ token_ids = [] }) => token_ids));
    this.#notify();
  }

  #notify(): void {
    for (const waiting of this.#waiting) {
      if (this.length < waiting.count) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
  }
}
