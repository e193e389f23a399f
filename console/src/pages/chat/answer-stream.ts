import { ask, Refused } from "../../api/ask.ts";
import { serverEvents } from "../../api/server-events.ts";

/** Tries to go on with a stream that broke off, and the time between two. A coordinator that is lost takes seconds. */
const MOST_TRIES = 20;
const RETRY_MS = 1000;
/** The next question does not wait longer for the end of the last answer. */
const STOP_MS = 3000;

export interface Scored {
  readonly token: string;
  readonly logprob: number;
  readonly others: readonly { readonly token: string; readonly logprob: number }[];
}

export interface ToolCall {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens: number };
}

/** What a chunk adds to an answer. */
export interface Piece {
  readonly text: string;
  readonly scored: readonly Scored[];
  /** Parts of calls: a name and an id once, arguments piece by piece. */
  readonly calls: readonly ToolCall[];
  readonly finish: string | null;
  readonly usage: Usage | null;
}

interface Chunk {
  readonly error?: { readonly message: string; readonly code?: string };
  readonly usage?: Usage | null;
  readonly choices?: readonly {
    readonly finish_reason?: string | null;
    readonly delta?: {
      readonly content?: string | null;
      readonly tool_calls?: readonly {
        readonly index: number;
        readonly id?: string;
        readonly function?: { readonly name?: string; readonly arguments?: string };
      }[];
    };
    readonly logprobs?: {
      readonly content?: readonly {
        readonly token: string;
        readonly logprob: number;
        readonly top_logprobs?: readonly { readonly token: string; readonly logprob: number }[];
      }[];
    } | null;
  }[];
}

/**
 * An answer that is generated. Its stream is a resumable one: when its connection breaks, because the gateway was
 * restarted or the network failed, it goes on behind the last event that came.
 */
export class AnswerStream {
  readonly #body: object;
  readonly #stop = new AbortController();
  #place: string | null = null;

  /** `body`: of POST /v1/chat/completions, without how it is delivered. */
  constructor(body: object) {
    this.#body = { ...body, stream: true, stream_options: { include_usage: true, resumable: true } };
  }

  /** Ends the reading at once, and the generation. */
  async stop(): Promise<void> {
    this.#stop.abort();
    const within = AbortSignal.timeout(STOP_MS);
    if (this.#place !== null) await ask(this.#place, { method: "DELETE", signal: within }).catch(() => {});
  }

  /** The pieces as they come. Throws Refused, TypeError where the gateway stays away, and AbortError once stopped. */
  async *pieces(): AsyncGenerator<Piece, void, undefined> {
    const { signal } = this.#stop;
    let response = await ask("/v1/chat/completions", { body: this.#body, signal });
    let last = "";
    for (let tries = 0; ; tries++) {
      this.#place ??= response.headers.get("content-location");
      try {
        if (response.body === null) return;
        for await (const { data, id } of serverEvents(response.body)) {
          last = id;
          tries = 0;
          if (data === "[DONE]") return;
          yield pieceOf(JSON.parse(data) as Chunk);
        }
      } catch (thrown) {
        if (signal.aborted || thrown instanceof Refused) throw thrown;
      }
      if (this.#place === null || tries >= MOST_TRIES) throw new TypeError("The stream broke off.");
      response = await this.#again(this.#place, last, tries);
    }
  }

  async #again(place: string, last: string, tries: number): Promise<Response> {
    const { signal } = this.#stop;
    for (let more = tries; ; more++) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      signal.throwIfAborted();
      try {
        return await ask(place, { headers: last === "" ? {} : { "last-event-id": last }, signal });
      } catch (thrown) {
        const isAway = !(thrown instanceof Refused) || thrown.status === 503 || thrown.status === 429;
        if (signal.aborted || !isAway || more >= MOST_TRIES) throw thrown;
      }
    }
  }
}

/** Throws Refused for a failure that came in the stream. */
function pieceOf({ error, choices = [], usage = null }: Chunk): Piece {
  if (error !== undefined) throw new Refused(500, error.code ?? "", error.message);
  const [choice] = choices;
  const scored = (choice?.logprobs?.content ?? []).map(({ token, logprob, top_logprobs = [] }) => {
    return { token, logprob, others: top_logprobs.filter((other) => other.token !== token) };
  });
  const calls = (choice?.delta?.tool_calls ?? []).map(({ index, id = "", function: of = {} }) => {
    return { index, id, name: of.name ?? "", arguments: of.arguments ?? "" };
  });
  return { text: choice?.delta?.content ?? "", scored, calls, finish: choice?.finish_reason ?? null, usage };
}
