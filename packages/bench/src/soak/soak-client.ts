import { authorization, DONE, EventReader, gatewayFailure } from "@rhone/client";
import type { Answer, Chunk } from "../chaos/answer.js";
import type { Asking } from "../chaos/asked-stream.js";
import { differenceOf } from "../chaos/judge.js";
import type { KnownQuestion } from "../chaos/load.js";
import type { Dice } from "../load/dice.js";

/** An answer that is not the known one, or not what was asked for. */
export class Unlike extends Error {}

/** What is known of the cluster. */
export interface Known {
  readonly model: string;
  readonly vocabSize: number;
  readonly questions: readonly KnownQuestion[];
}

/** One client of the load. */
export class SoakClient {
  readonly asking: Asking;
  readonly known: Known;
  readonly dice: Dice;

  constructor(asking: Asking, known: Known, dice: Dice) {
    this.asking = asking;
    this.known = known;
    this.dice = dice;
  }

  /** Whole, from 0 up to `below`. */
  roll(below: number): number {
    return Math.floor(this.dice() * below);
  }

  /** A question, of those with at least `tokens` tokens. */
  question(tokens = 0): KnownQuestion {
    const fitting = this.known.questions.filter(({ streamed }) => streamed.ids.length >= tokens);
    const question = fitting[this.roll(fitting.length)];
    if (question === undefined) throw new Unlike(`no answer has ${tokens} tokens`);
    return question;
  }

  /** Throws the gateway's error for an answer other than 2xx. */
  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await this.fetch(path, init);
    if (!response.ok) throw gatewayFailure(await response.text(), response.status);
    return response;
  }

  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return this.send(path, { method: "POST", body: JSON.stringify(body), headers });
  }

  fetch(path: string, { headers, ...init }: RequestInit = {}): Promise<Response> {
    const { url, apiKey, signal, patienceMs } = this.asking;
    const own = { "content-type": "application/json", ...authorization(apiKey), ...headers };
    return fetch(url + path, {
      ...init,
      headers: own,
      signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
    });
  }
}

/** The chunks of a stream up to [DONE]. Throws what it says went wrong, and Unlike when it ends before. */
export async function* chunksOf(response: Response): AsyncGenerator<Chunk> {
  const reader = new EventReader();
  for await (const bytes of response.body ?? []) {
    for (const data of reader.push(bytes as Uint8Array)) {
      if (data === DONE) return;
      const chunk = JSON.parse(data) as Chunk;
      if (chunk.error !== undefined) throw gatewayFailure(data, 200);
      yield chunk;
    }
  }
  throw new Unlike("the stream ended without [DONE]");
}

/** Throws Unlike. */
export function check(expected: Answer, got: Answer): void {
  const difference = differenceOf(expected, got);
  if (difference !== null) throw new Unlike(JSON.stringify(difference));
}
