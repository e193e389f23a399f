import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json, text } from "node:stream/consumers";
import { setImmediate as turn } from "node:timers/promises";
import type { ClusterStatus, WorkerStatus } from "@rhone/common";

export interface FakeRequest {
  readonly model: string;
  readonly prompt: readonly number[];
  readonly max_tokens: number;
  readonly temperature: number;
  readonly ignore_eos: boolean;
  readonly cache_prompt: boolean;
}

export interface FakeGatewayOptions {
  readonly slidingWindow?: number | null;
  readonly contextLength?: number;
  /** Of a batch. */
  readonly failedLines?: number;
  /** What /status tells of coordinators, in place of the state of one that is ready. */
  readonly coordinators?: readonly Partial<ClusterStatus>[];
  /** That the worker computes on; CPU without it. */
  readonly device?: string;
  /** host:port of the operations servers, instead of this server's. */
  readonly operations?: string;
  /** The share of drafted tokens that are accepted; nothing is drafted without it. */
  readonly acceptance?: number;
  /** What a request gets in place of its tokens; null leaves it to the gateway. */
  readonly fault?: (request: FakeRequest) => "one-token-less" | "error-chunk" | "hang-up" | "refusal" | null;
}

const MODEL = {
  ...{ name: "tiny", path: "/tiny.gguf", fingerprint: "f" },
  ...{ vocabSize: 512, nLayers: 2, parameters: 1000, fileBytes: 1000 },
};

const WORKER: Omit<WorkerStatus, "operations" | "device"> = {
  ...{ worker: "w", address: "127.0.0.1:1", hostname: "here", pid: 1, threads: 1, layers: [0, 2], stepTimes: null },
  ...{ memoryTotal: 1e9, resident: 1e8, loadedBytes: 1000, totalBytes: 1000, pageBytes: 1000, busy: 0 },
};

/**
 * Speaks enough of the HTTP API for the bench: tokens at once, one event each; /status and /metrics on the same port.
 */
export class FakeGateway {
  readonly requests: FakeRequest[] = [];
  readonly #options: FakeGatewayOptions;
  readonly #server: Server;
  #lines = 0;
  readonly #prefixes = new Set<string>();

  private constructor(options: FakeGatewayOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async open(options: FakeGatewayOptions = {}): Promise<FakeGateway> {
    const gateway = new FakeGateway(options);
    await new Promise<void>((resolve) => gateway.#server.listen(0, "127.0.0.1", resolve));
    return gateway;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Files are counted, batches over at once. */
  async #batch(request: IncomingMessage): Promise<string> {
    const body = await text(request);
    if (request.url === "/v1/files") this.#lines = body.split('"custom_id"').length - 1;
    const failed = this.#options.failedLines ?? 0;
    const counts = { total: this.#lines, completed: this.#lines - failed, failed };
    const files = { output_file_id: null, error_file_id: null, errors: null, created_at: 0 };
    return JSON.stringify({ id: "x", endpoint: "", status: "completed", request_counts: counts, ...files });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === "/status") {
      const { coordinators = [{}] } = this.#options;
      const statuses = coordinators.map((changes) => ({ ...this.#status(), ...changes }));
      return void response.end(JSON.stringify({ coordinators: statuses }));
    }
    if (request.url === "/metrics") return void response.end(this.#metrics());
    if (/^\/v1\/(files|batches)/.test(request.url ?? "")) return void response.end(await this.#batch(request));
    const asked = (await json(request)) as FakeRequest;
    this.requests.push(asked);
    const fault = this.#options.fault?.(asked) ?? null;
    if (fault === "refusal") {
      return void response.writeHead(503).end('{"error":{"message":"too much","code":"queue_full"}}');
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    const count = asked.max_tokens - (fault === "one-token-less" ? 1 : 0);
    for (let i = 0; i < count && !response.destroyed; i++) {
      if (i === 1 && fault === "hang-up") return void response.destroy();
      if (i === 1 && fault === "error-chunk") {
        return void response.end('data: {"error":{"message":"lost it","code":"worker_lost"}}\n\n');
      }
      response.write(`data: ${JSON.stringify({ choices: [{ text: "x", token_ids: [i] }] })}\n\n`);
      await turn();
    }
    response.end(`data: ${JSON.stringify({ choices: [], usage: this.#usage(asked) })}\n\ndata: [DONE]\n\n`);
  }

  #metrics(): string {
    const tokens = this.requests.reduce((sum, { max_tokens }) => sum + max_tokens, 0);
    return `rhone_steps_total ${this.requests.length}\nrhone_tokens_total{kind="generated"} ${tokens}\n`;
  }

  /** The first half of a prompt is cached when it has been seen. */
  #usage({ prompt, max_tokens, cache_prompt }: FakeRequest) {
    const half = prompt.length >> 1;
    const key = prompt.slice(0, half).join();
    const cached_tokens = cache_prompt && this.#prefixes.has(key) ? half : 0;
    this.#prefixes.add(key);
    return { prompt_tokens: prompt.length, completion_tokens: max_tokens, prompt_tokens_details: { cached_tokens } };
  }

  #status(): ClusterStatus {
    const {
      contextLength = 4096,
      slidingWindow = null,
      operations = this.host,
      device = "CPU",
      acceptance,
    } = this.#options;
    const drafted = acceptance === undefined ? 0 : 10 * this.requests.length;
    const tokens = { prompt: 0, cached: 0, generated: 0, drafted, accepted: drafted * (acceptance ?? 0) };
    return {
      ...{ coordinator: "c", operations, updatedAtMs: 0, startedAtMs: 0, state: "ready", reason: null },
      ...{ simulated: false, epoch: 1, kvType: "f16", tokens },
      model: { ...MODEL, contextLength, slidingWindow },
      workers: [{ ...WORKER, operations, device }],
      pages: { size: 32, total: 8, free: 8, cached: 0 },
      sequences: { running: 0, waiting: 0, limit: 8 },
    };
  }
}
