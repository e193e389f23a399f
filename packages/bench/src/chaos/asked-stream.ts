import { randomUUID } from "node:crypto";
import { authorization, DONE, gatewayFailure } from "@rhone/client";
import { RhoneError } from "@rhone/common";
import { type Answer, AnswerReader, type Chunk } from "./answer.js";
import type { HungRequest } from "./hang-evidence.js";
import { Patience, type PatienceOptions } from "./patience.js";
import type { Question } from "./questions.js";
import { pauseBeforeRetry, tryRequest } from "./try-request.js";

export interface Asking extends PatienceOptions {
  /** http://host:port of the gateway. */
  readonly url: string;
  readonly apiKey?: string | undefined;
  /** What there is of a request that hangs, at that moment. Must not reject. */
  readonly evidenceOf?: ((request: HungRequest) => Promise<string>) | undefined;
  /** Ends all requests; their promises reject. */
  readonly signal: AbortSignal;
}

export type StreamEnd =
  | { readonly kind: "whole"; readonly answer: Answer }
  /** `why`: what the gateway said. */
  | { readonly kind: "failed" | "hung"; readonly answer: Answer; readonly why: string };

/** What a client saw of a stream. Times in milliseconds on the performance clock. */
export interface StreamStory {
  readonly sentAt: number;
  /** When chunks with tokens came. */
  readonly arrivals: readonly number[];
  readonly endedAt: number;
  /** How often its connection broke, or could not be opened. */
  readonly breaks: number;
  /** How often the gateway said no for now. */
  readonly refusals: number;
  readonly end: StreamEnd;
}

export interface StreamManner {
  /** The connection is given up once as many tokens have come, and another one takes the rest. */
  readonly leaveAfter?: number;
}

/**
 * A resumable stream, read as docs/api.md tells clients: where the connection breaks they continue at Last-Event-ID,
 * and before they know where, they repeat the request with its Idempotency-Key.
 */
export class AskedStream {
  /** Rejects when the signal of `Asking` is aborted. */
  readonly done: Promise<StreamStory>;
  readonly #question: Question;
  readonly #asking: Asking;
  readonly #key = randomUUID();
  readonly #sentAt = performance.now();
  readonly #arrivals: number[] = [];
  readonly #signal: AbortSignal;
  readonly #patience: Patience;
  #leaveAfter: number;
  #reader = new AnswerReader();
  #address: string | null = null;
  #httpRequest: string | null = null;
  #lastId = "";
  #breaks = 0;
  #refusals = 0;

  constructor(question: Question, asking: Asking, { leaveAfter = Number.POSITIVE_INFINITY }: StreamManner = {}) {
    this.#leaveAfter = leaveAfter;
    this.#question = question;
    this.#asking = asking;
    this.#patience = new Patience(asking);
    this.#signal = AbortSignal.any([asking.signal, this.#patience.over]);
    this.done = this.#run();
  }

  /** When it got a token last, or was sent. */
  get lastHeardAt(): number {
    return this.#arrivals.at(-1) ?? this.#sentAt;
  }

  async #run(): Promise<StreamStory> {
    const end = await this.#follow().finally(() => this.#patience.close());
    const [sentAt, arrivals, breaks, refusals] = [this.#sentAt, this.#arrivals, this.#breaks, this.#refusals];
    return { sentAt, arrivals, endedAt: performance.now(), breaks, refusals, end };
  }

  async #follow(): Promise<StreamEnd> {
    try {
      for (;;) {
        const got = await tryRequest(...this.#request());
        if (got.response !== null && (await this.#isWhole(got.response))) {
          return { kind: "whole", answer: this.#reader.answer };
        }
        if (got.response === null && got.why === "refused") this.#refusals++;
        else this.#breaks++;
        await pauseBeforeRetry(this.#signal);
      }
    } catch (error) {
      this.#asking.signal.throwIfAborted();
      const { answer } = this.#reader;
      if (this.#patience.over.aborted) return { kind: "hung", answer, why: await this.#silence() };
      const why = error instanceof RhoneError ? `${error.code}: ${error.message}` : String(error);
      return { kind: "failed", answer, why };
    }
  }

  async #silence(): Promise<string> {
    const { evidenceOf } = this.#asking;
    const silentS = (performance.now() - this.lastHeardAt) / 1000;
    const tries = `${this.#breaks} connections broke, ${this.#refusals} requests were refused`;
    const silence = `no token for ${silentS.toFixed(0)} s after ${this.#reader.answer.ids.length}; ${tries}`;
    if (evidenceOf === undefined) return silence;
    const stream = this.#address?.split("/").at(-1) ?? null;
    const model = String(this.#question.body.model);
    return `${silence}; ${await evidenceOf({ key: this.#key, stream, httpRequest: this.#httpRequest, model })}`;
  }

  /** The rest of the stream, or the request, which brings all of it. */
  #request(): Parameters<typeof tryRequest> {
    const { url, apiKey } = this.#asking;
    const headers = authorization(apiKey);
    if (this.#address !== null) {
      const after: Record<string, string> = this.#lastId === "" ? {} : { "last-event-id": this.#lastId };
      return [url + this.#address, { headers: { ...headers, ...after }, signal: this.#signal }];
    }
    this.#reader = new AnswerReader();
    const { path, body } = this.#question;
    const text = JSON.stringify({ ...body, stream: true, stream_options: { resumable: true } });
    const own = { "content-type": "application/json", "idempotency-key": this.#key };
    return [url + path, { method: "POST", headers: { ...headers, ...own }, body: text, signal: this.#signal }];
  }

  /** Reads events up to [DONE]; false when the connection breaks before, or is given up. Throws the stream's error. */
  async #isWhole(response: Response): Promise<boolean> {
    this.#address ??= response.headers.get("content-location");
    this.#httpRequest = response.headers.get("x-request-id");
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for await (const bytes of response.body ?? []) {
        const events = (rest + decoder.decode(bytes as Uint8Array, { stream: true })).split("\n\n");
        rest = events.pop() ?? "";
        for (const event of events) if (this.#isLast(event)) return true;
        if (this.#reader.tokens < this.#leaveAfter) continue;
        this.#leaveAfter = Number.POSITIVE_INFINITY;
        return false;
      }
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof RhoneError || error instanceof SyntaxError) throw error;
    }
    return false;
  }

  #isLast(event: string): boolean {
    const data = /^data: ?(.*)$/m.exec(event)?.[1];
    if (data === undefined) return false; // a comment
    if (data === DONE) return true;
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error !== undefined) throw gatewayFailure(data, 200);
    this.#patience.heard();
    if (this.#reader.take(chunk) > 0) this.#arrivals.push(performance.now());
    this.#lastId = /^id: ?(.*)$/m.exec(event)?.[1] ?? this.#lastId;
    return false;
  }
}
