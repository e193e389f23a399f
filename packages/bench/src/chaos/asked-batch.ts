import { randomUUID } from "node:crypto";
import { authorization, type Batch, isOver } from "@rhone/client";
import { RhoneError } from "@rhone/common";
import type { Answer } from "./answer.js";
import type { Asking } from "./asked-stream.js";
import { type BatchJudgement, judgeBatch } from "./batch-judge.js";
import { Patience } from "./patience.js";
import type { Question } from "./questions.js";
import { pauseBeforeRetry, requestPatiently } from "./try-request.js";

export interface BatchLine {
  readonly question: Question;
  /** Of the whole answer. */
  readonly known: Answer;
}

export type BatchStory =
  | { readonly kind: "judged"; readonly seconds: number; readonly judgement: BatchJudgement }
  | { readonly kind: "failed" | "hung"; readonly seconds: number; readonly lines: number; readonly why: string };

/**
 * Uploads a batch, waits for its end, judges its lines and removes its files. Requests are repeated while nobody
 * answers; their keys keep the file and the batch from being made twice. It hangs when no line ends for `patienceMs`
 * in which nothing disturbed the cluster.
 * Rejects when the signal of `asking` is aborted.
 */
export async function askBatch(lines: readonly BatchLine[], asking: Asking): Promise<BatchStory> {
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  const patience = new Patience(asking);
  const signal = AbortSignal.any([asking.signal, patience.over]);
  try {
    const run = new BatchRun({ ...asking, signal }, () => patience.heard());
    const judgement = judgeBatch(
      new Map(lines.map(({ known }, index) => [idOf(index), known])),
      await run.results(lines),
    );
    return { kind: "judged", seconds: seconds(), judgement };
  } catch (error) {
    asking.signal.throwIfAborted();
    const about = { seconds: seconds(), lines: lines.length };
    if (patience.over.aborted)
      return { kind: "hung", why: `no line ended for ${asking.patienceMs / 1000} s`, ...about };
    return { kind: "failed", why: error instanceof Error ? error.message : String(error), ...about };
  } finally {
    patience.close();
  }
}

const idOf = (index: number): string => `line-${index}`;

class BatchRun {
  readonly #asking: Asking;
  readonly #onProgress: () => void;

  constructor(asking: Asking, onProgress: () => void) {
    this.#asking = asking;
    this.#onProgress = onProgress;
  }

  /** The lines of its result files. Throws BATCH_FAILED for a batch that ends otherwise than completed. */
  async results(lines: readonly BatchLine[]): Promise<readonly string[]> {
    const { id } = await this.#post<{ id: string }>("/v1/files", formOf(lines));
    const order = { input_file_id: id, endpoint: lines[0]?.question.path, completion_window: "24h" };
    const batch = await this.#untilOver(await this.#post<Batch>("/v1/batches", JSON.stringify(order)));
    if (batch.status !== "completed") {
      const { completed, failed, total } = batch.request_counts;
      const counts = `${completed} of its ${total} lines were answered, ${failed} failed`;
      throw new RhoneError("BATCH_FAILED", `The batch is ${batch.status}: ${counts}.`);
    }
    const files = [batch.output_file_id, batch.error_file_id].filter((file) => file !== null);
    const texts = await Promise.all(files.map((file) => this.#get(`/v1/files/${file}/content`, textOf)));
    await Promise.all([id, ...files].map((file) => this.#remove(`/v1/files/${file}`)));
    return texts.flatMap((text) => text.split("\n").filter((line) => line !== ""));
  }

  async #untilOver(created: Batch): Promise<Batch> {
    let before = progressOf(created);
    for (;;) {
      const batch = await this.#get<Batch>(`/v1/batches/${created.id}`, jsonOf);
      if (isOver(batch)) return batch;
      if (progressOf(batch) !== before) this.#onProgress();
      before = progressOf(batch);
      await pauseBeforeRetry(this.#asking.signal);
    }
  }

  /** A file that is not found was removed by a try whose answer was lost. */
  async #remove(path: string): Promise<void> {
    const { url, apiKey, signal } = this.#asking;
    const init = { method: "DELETE", headers: authorization(apiKey), signal };
    await requestPatiently(url + path, init, textOf).catch((error: unknown) => {
      if (!(error instanceof RhoneError && error.code === "NOT_FOUND")) throw error;
    });
  }

  #get<T>(path: string, read: (response: Response) => Promise<T>): Promise<T> {
    const { url, apiKey, signal } = this.#asking;
    return requestPatiently(url + path, { headers: authorization(apiKey), signal }, read);
  }

  async #post<T>(path: string, body: FormData | string): Promise<T> {
    const { url, apiKey, signal } = this.#asking;
    const type: Record<string, string> = typeof body === "string" ? { "content-type": "application/json" } : {};
    const headers = { ...authorization(apiKey), ...type, "idempotency-key": randomUUID() };
    const answer = await requestPatiently<T>(url + path, { method: "POST", headers, body, signal }, jsonOf);
    this.#onProgress();
    return answer;
  }
}

const progressOf = ({ status, request_counts: { completed, failed } }: Batch): string =>
  `${status} ${completed} ${failed}`;

const textOf = (response: Response): Promise<string> => response.text();

async function jsonOf<T>(response: Response): Promise<T> {
  return (await response.json()) as T;
}

function formOf(lines: readonly BatchLine[]): FormData {
  const text = lines.map(({ question: { path, body } }, index) =>
    JSON.stringify({ custom_id: idOf(index), method: "POST", url: path, body }),
  );
  const form = new FormData();
  form.append("purpose", "batch");
  form.append("file", new Blob([`${text.join("\n")}\n`], { type: "application/jsonl" }), "batch.jsonl");
  return form;
}
