import { setTimeout as sleep } from "node:timers/promises";
import { authorization } from "@rhone/client";
import { type Answer, answerOf, type Chunk } from "./answer.js";
import { askBatch, type BatchLine, type BatchStory } from "./asked-batch.js";
import { AskedStream, type Asking, type StreamStory } from "./asked-stream.js";
import { type Difference, differenceOf } from "./judge.js";
import type { Question } from "./questions.js";
import { requestPatiently } from "./try-request.js";

/** A question, and what the cluster answers while nothing disturbs it. */
export interface KnownQuestion {
  readonly question: Question;
  readonly streamed: Answer;
  readonly whole: Answer;
}

export interface JudgedStream {
  readonly question: Question;
  readonly story: StreamStory;
  /** From the known answer, of a whole one; null for one that is right. */
  readonly difference: Difference | null;
}

/** Asks each question, streamed and whole. `refused`: the kinds that this cluster does not answer, and why. */
export async function askKnown(questions: readonly Question[], asking: Asking) {
  const known: KnownQuestion[] = [];
  const refused = new Map<string, string>();
  for (const question of questions) {
    if (refused.has(question.kind)) continue;
    const { end } = await new AskedStream(question, asking).done;
    if (end.kind === "whole") known.push({ question, streamed: end.answer, whole: await askWhole(question, asking) });
    else refused.set(question.kind, end.why);
  }
  return { known, refused };
}

/** `further` headers. */
export async function askWhole(
  { path, body }: Question,
  { url, signal: over, patienceMs, apiKey }: Asking,
  further: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const signal = AbortSignal.any([over, AbortSignal.timeout(patienceMs)]);
  const headers = { "content-type": "application/json", ...authorization(apiKey), ...further };
  const init = { method: "POST", headers, body: JSON.stringify(body), signal };
  return answerOf(await requestPatiently(url + path, init, async (response) => (await response.json()) as Chunk));
}

export interface ChaosLoadOptions extends Asking {
  readonly known: readonly KnownQuestion[];
  readonly clients: number;
  /** Of each batch, one after another; 0 = no batches. */
  readonly batchLines: number;
}

/** A client that was told no does not ask again at once. */
const AFTER_FAILURE_MS = 500;

/** Clients that ask known questions in turn, and batches of them, until they are stopped. */
export class ChaosLoad {
  readonly streams: JudgedStream[] = [];
  readonly batches: BatchStory[] = [];
  readonly #options: ChaosLoadOptions;
  readonly #running = new Map<number, AskedStream>();
  readonly #done: Promise<unknown>;
  #isStopped = false;

  constructor(options: ChaosLoadOptions) {
    this.#options = options;
    const clients = Array.from({ length: options.clients }, (_, client) => this.#repeat(client));
    this.#done = Promise.all([...clients, ...(options.batchLines > 0 ? [this.#repeatBatches()] : [])]);
    this.#done.catch(() => {}); // `stop` rejects with it
  }

  /** Resolves when the streams and the batch under way have ended, or hang. Rejects when the signal is aborted. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  /** Whether each client has got a token since `time`, and none has waited for `quietMs`. */
  goesOnSince(time: number, quietMs: number): boolean {
    const least = Math.max(time, performance.now() - quietMs);
    return [...this.#running.values()].every(({ lastHeardAt }) => lastHeardAt > least);
  }

  async #repeat(client: number): Promise<void> {
    const { known, clients, signal } = this.#options;
    for (let turn = 0; !this.#isStopped; turn++) {
      const asked = known[(client + turn * clients) % known.length];
      if (asked === undefined) return;
      const stream = new AskedStream(asked.question, this.#options);
      this.#running.set(client, stream);
      const story = await stream.done;
      const { end } = story;
      const difference = end.kind === "whole" ? differenceOf(asked.streamed, end.answer) : null;
      this.streams.push({ question: asked.question, story, difference });
      if (end.kind !== "whole") await sleep(AFTER_FAILURE_MS, undefined, { signal });
    }
    this.#running.delete(client);
  }

  /** Of completions and of chats in turn: the lines of a batch have one endpoint. */
  async #repeatBatches(): Promise<void> {
    const { known, batchLines, signal } = this.#options;
    const paths = new Set(known.map(({ question }) => question.path));
    const endpoints = [...paths].map((path) => known.filter(({ question }) => question.path === path));
    for (let turn = 0; !this.#isStopped; turn++) {
      const some = endpoints[turn % endpoints.length] ?? [];
      const lines = Array.from({ length: batchLines }, (_, index): BatchLine[] => {
        const asked = some[index % some.length];
        return asked === undefined ? [] : [{ question: asked.question, known: asked.whole }];
      }).flat();
      const story = await askBatch(lines, this.#options);
      this.batches.push(story);
      if (story.kind !== "judged") await sleep(AFTER_FAILURE_MS, undefined, { signal });
    }
  }
}
