import { type Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { authorization, DONE, EventReader, gatewayFailure } from "@rhone/client";
import { RhoneError } from "@rhone/common";

/** Where and how requests are sent; the same for all of a measurement. */
export interface Connection {
  readonly agent: Agent;
  /** http://host:port of a gateway. */
  readonly url: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
  /** Fails what is under way. */
  readonly signal: AbortSignal;
}

export interface TokenStreamOptions extends Connection {
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  /** May the prefix cache be used? */
  readonly cache: boolean;
  /** Called as each token arrives, with the number of tokens so far. */
  readonly onToken?: (count: number) => void;
}

export interface StreamRecord {
  /** When the request was sent, in milliseconds on the performance clock. */
  readonly sentAt: number;
  /** When each token arrived. */
  readonly arrivals: readonly number[];
  /** Prompt tokens taken from the prefix cache, by the gateway's account; 0 for a stream that was left. */
  readonly cachedTokens: number;
}

/** From sending the request to its first token; NaN without tokens. */
export const ttftMsOf = ({ sentAt, arrivals }: StreamRecord): number => (arrivals[0] ?? Number.NaN) - sentAt;

interface Chunk {
  readonly choices?: readonly { readonly token_ids?: readonly number[] }[];
  readonly usage?: Usage;
  readonly error?: unknown;
}

interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number };
}

/**
 * One streamed completion of exactly `maxTokens` greedy tokens. `send` is apart from the constructor so that many start
 * at once.
 */
export class TokenStream {
  /**
   * Rejects with the gateway's own error, NOT_RUNNING, or MEASUREMENT_VOID for a stream of another length than asked.
   */
  readonly done: Promise<StreamRecord>;
  readonly #options: TokenStreamOptions;
  readonly #body: string;
  readonly #request: ClientRequest;
  readonly #arrivals: number[] = [];
  #sentAt = 0;
  #usage: Usage | undefined;
  #finished = false;
  #left = false;

  constructor(options: TokenStreamOptions) {
    this.#options = options;
    this.#body = bodyOf(options);
    const { agent, signal, url } = options;
    this.#request = request(`${url}/v1/completions`, {
      method: "POST",
      agent,
      signal,
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(this.#body),
        ...authorization(options.apiKey),
      },
    });
    this.done = this.#follow();
  }

  /** When each token arrived so far, on the performance clock. */
  get arrivals(): readonly number[] {
    return this.#arrivals;
  }

  send(): void {
    this.#sentAt = performance.now();
    this.#request.end(this.#body);
  }

  /** Hangs up; `done` resolves with the tokens that have arrived. */
  leave(): void {
    this.#left = true;
    this.#request.destroy();
  }

  async #follow(): Promise<StreamRecord> {
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        this.#request.once("response", resolve);
        this.#request.once("error", reject);
      });
      const { statusCode = 0 } = response;
      if (statusCode !== 200) throw gatewayFailure(await text(response), statusCode);
      await this.#read(response);
    } catch (error) {
      if (!this.#left) throw this.#failure(error);
    }
    if (!this.#left) this.#check();
    const cachedTokens = this.#usage?.prompt_tokens_details?.cached_tokens ?? 0;
    return { sentAt: this.#sentAt, arrivals: this.#arrivals, cachedTokens };
  }

  /** Handlers cost less than an iterator, and the bench shares its cores with the cluster. */
  #read(response: IncomingMessage): Promise<void> {
    const events = new EventReader();
    return new Promise((resolve, reject) => {
      response.on("data", (bytes: Buffer) => {
        const now = performance.now();
        try {
          for (const data of events.push(bytes)) this.#take(data, now);
        } catch (error) {
          reject(error);
          this.#request.destroy();
        }
      });
      response.once("end", resolve);
      response.once("error", reject);
      response.once("close", () => reject(new Error("the connection broke")));
    });
  }

  #take(data: string, now: number): void {
    if (data === DONE) {
      this.#finished = true;
      return;
    }
    const { choices, usage, error } = JSON.parse(data) as Chunk;
    if (error !== undefined) throw gatewayFailure(data, 200);
    if (usage !== undefined) this.#usage = usage;
    const arrived = choices?.[0]?.token_ids?.length ?? 0;
    for (let i = 0; i < arrived; i++) {
      this.#arrivals.push(now);
      this.#options.onToken?.(this.#arrivals.length);
    }
  }

  #check(): void {
    const { prompt, maxTokens } = this.#options;
    const promptTokens = this.#usage?.prompt_tokens;
    const whole = this.#finished && this.#arrivals.length === maxTokens && promptTokens === prompt.length;
    if (whole) return;
    const got = `${promptTokens ?? "no"} prompt and ${this.#arrivals.length} generated tokens`;
    const end = this.#finished ? "" : ", without [DONE]";
    const asked = `${prompt.length} and ${maxTokens}`;
    throw new RhoneError("MEASUREMENT_VOID", `A stream returned ${got}${end}; the request was for ${asked}.`);
  }

  #failure(error: unknown): unknown {
    const { signal, url } = this.#options;
    if (signal.aborted) return signal.reason;
    if (error instanceof RhoneError) return error;
    if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED") {
      return new RhoneError("NOT_RUNNING", `No gateway answers at ${url}.`, { cause: error });
    }
    const why = error instanceof Error ? error.message : String(error);
    const broke = `A stream from ${url} broke after ${this.#arrivals.length} tokens: ${why}.`;
    return new RhoneError("MEASUREMENT_VOID", broke, { cause: error });
  }
}

function bodyOf({ model, prompt, maxTokens, cache }: TokenStreamOptions): string {
  return JSON.stringify({
    model,
    prompt,
    max_tokens: maxTokens,
    temperature: 0,
    ignore_eos: true,
    stream: true,
    return_token_ids: true,
    cache_prompt: cache,
  });
}
