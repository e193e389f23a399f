import { setMaxListeners } from "node:events";
import { RhoneError } from "@rhone/common";
import { newFileId } from "../files/file-record.js";
import type { FileStore } from "../files/file-store.js";
import type { TextLine } from "../files/read-lines.js";
import { ModelWatch } from "../models/model-watch.js";
import type { ServedModels } from "../models/served-models.js";
import { readInput, validateInput } from "./batch-input.js";
import { isProblem, parseBatchLine } from "./batch-line.js";
import { addUsage, advance, type BatchEnding, type BatchRecord, isOver } from "./batch-record.js";
import type { BatchStore } from "./batch-store.js";
import { type InputSize, tooLarge } from "./input-size.js";
import { type LineResult, type ResultLog, type ResultSummary, summarizeResults } from "./result-log.js";
import { type LineUse, runLine } from "./run-line.js";
import { runLines } from "./run-lines.js";
import { writeResultFiles } from "./write-result-files.js";

/** What running a batch takes. */
export interface BatchUse extends LineUse {
  readonly models: Pick<ServedModels, "find" | "findReady" | "askable">;
  readonly batches: BatchStore;
  readonly files: FileStore;
  /** Longest line of an input. */
  readonly bodyLimitBytes: number;
}

export interface BatchRunOptions {
  readonly uses: BatchUse;
  readonly batch: BatchRecord;
  /** Aborted when the batch is left to another gateway; its generations go on. */
  readonly handover: AbortSignal;
  readonly linesInFlight: number;
  readonly input: InputSize;
  /** Time between checks for expiry and cancellation. */
  readonly tickMs: number;
  /** Before the second attempt of a line after an outage. */
  readonly pauseMs: number;
}

/** Takes one batch from its present state to its end. Only the holder of its lease runs it. */
export class BatchRun {
  readonly #options: BatchRunOptions;
  readonly #stop = new AbortController();
  #record: BatchRecord;
  #ending: BatchEnding = "completed";
  #changed = false;
  #savedAtMs = 0;
  /** One check at a time: an older record must not overwrite a newer one. */
  #checking: Promise<void> | undefined;

  constructor(options: BatchRunOptions) {
    this.#options = options;
    this.#record = options.batch;
    // Every running line listens.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Resolves when the batch is over. Rejects with the reason of `handover`, or if it must be tried again. */
  async run(): Promise<void> {
    try {
      if (this.#record.status === "validating") await this.#validate();
      if (this.#record.status === "in_progress") await this.#process();
      if (this.#record.status === "finalizing") await this.#finalize();
    } catch (error) {
      if (!(error instanceof RhoneError) || error.code !== "NOT_FOUND") throw error;
      this.#options.handover.throwIfAborted();
      await this.#fail([{ code: "file_not_found", message: error.message, param: "input_file_id", line: null }]);
    }
  }

  async #validate(): Promise<void> {
    const { uses, input } = this.#options;
    const problem = await tooLarge(uses.files, this.#record, input);
    if (problem !== null) return this.#fail([problem]);
    const names = await uses.models.askable();
    const rules = { ...this.#record, ...input, isServed: (model: string) => names.has(model) };
    const { problems, total, model } = await validateInput(this.#input(), rules);
    this.#options.handover.throwIfAborted();
    if (problems.length > 0) return this.#fail(problems);
    await this.#advance("in_progress", { model, counts: { total, completed: 0, failed: 0 } });
  }

  async #process(): Promise<void> {
    const { batches } = this.#options.uses;
    const { id } = this.#record;
    const known = await summarizeResults(batches.results(id));
    this.#count(known);
    const log = await batches.newResults(id);
    const giveUp = () => this.#stop.abort(this.#options.handover.reason);
    this.#options.handover.addEventListener("abort", giveUp, { once: true });
    if (this.#options.handover.aborted) giveUp();
    const timer = setInterval(() => this.#tick(log), this.#options.tickMs);
    const { batchLinesLeft } = this.#options.uses.metrics;
    batchLinesLeft.inc(this.#linesLeft);
    try {
      await this.#check(log);
      const watch = this.#stop.signal.aborted ? undefined : await this.#watchModel();
      await this.#runLines(known.lines, log).finally(() => watch?.close());
    } finally {
      batchLinesLeft.dec(this.#linesLeft);
      clearInterval(timer);
      this.#options.handover.removeEventListener("abort", giveUp);
      await this.#checking;
      await log.close();
    }
    this.#options.handover.throwIfAborted();
    await this.#advance("finalizing", { ending: this.#ending, outputFileId: newFileId(), errorFileId: newFileId() });
  }

  /** Leaves the batch to a later run when its model is lost. Throws NO_PIPELINE when it is already. */
  async #watchModel(): Promise<ModelWatch> {
    const watch = await ModelWatch.open(this.#options.uses.models, this.#record.model ?? undefined);
    watch.lost.addEventListener("abort", () => this.#stop.abort(watch.lost.reason), { once: true });
    return watch;
  }

  async #runLines(done: ReadonlySet<number>, log: ResultLog): Promise<void> {
    const stop = this.#stop;
    const { linesInFlight: atOnce } = this.#options;
    await runLines({ lines: this.#input(), done, atOnce, stop, run: (line) => this.#runLine(line, log) });
    if (stop.signal.aborted && this.#ending === "completed") throw stop.signal.reason;
  }

  async #runLine(read: TextLine, log: ResultLog): Promise<void> {
    const { number } = read;
    const { uses, pauseMs } = this.#options;
    const batch = this.#record;
    const line = await parseBatchLine(read, batch);
    if (isProblem(line)) throw new Error(`Line ${number} of ${batch.id} changed after it was validated`);
    const { result, release } = await runLine({ uses, batch, number, line, signal: this.#stop.signal, pauseMs });
    await log.append(result).finally(release);
    this.#countOne(result);
  }

  #countOne({ ok, usage }: LineResult): void {
    const { counts } = this.#record;
    const completed = counts.completed + (ok ? 1 : 0);
    const failed = counts.failed + (ok ? 0 : 1);
    this.#record = {
      ...this.#record,
      counts: { ...counts, completed, failed },
      usage: addUsage(this.#record.usage, usage),
    };
    this.#changed = true;
    const { metrics } = this.#options.uses;
    metrics.batchLines.inc({ outcome: ok ? "ok" : "error" });
    metrics.batchLinesLeft.dec();
  }

  get #linesLeft(): number {
    const { total, completed, failed } = this.#record.counts;
    return total - completed - failed;
  }

  /** Takes over the counts of earlier owners. */
  #count({ completed, failed, usage }: ResultSummary): void {
    this.#record = { ...this.#record, counts: { total: this.#record.counts.total, completed, failed }, usage };
  }

  #tick(log: ResultLog): void {
    this.#checking ??= this.#check(log)
      .catch((err: unknown) => {
        this.#options.uses.logger.warn({ err, batch: this.#record.id }, "batch check failed, trying again");
      })
      .finally(() => {
        this.#checking = undefined;
      });
  }

  async #check(log: ResultLog): Promise<void> {
    const { batches } = this.#options.uses;
    if (Date.now() >= this.#record.expiresAt * 1000) this.#end("expired");
    else if ((await batches.cancelledAt(this.#record.id)) !== null) this.#end("cancelled");
    if (!this.#changed || Date.now() - this.#savedAtMs < batches.pace.saveMs) return;
    if (this.#record.status !== "in_progress" || this.#options.handover.aborted) return;
    this.#savedAtMs = Date.now();
    this.#changed = false;
    await this.#saveCounts(log).catch((error: unknown) => {
      this.#changed = true;
      throw error;
    });
  }

  /** Syncs the results first, so that the record counts only what is kept. */
  async #saveCounts(log: ResultLog): Promise<void> {
    const record = this.#record;
    await log.sync();
    await this.#options.uses.batches.save(record);
  }

  #end(ending: "cancelled" | "expired"): void {
    if (this.#stop.signal.aborted) return;
    this.#ending = ending;
    this.#stop.abort(new RhoneError("CANCELLED", `The batch is ${ending}.`));
  }

  async #finalize(): Promise<void> {
    const { files, batches } = this.#options.uses;
    const batch = this.#record;
    const { counts } = await writeResultFiles({
      batch,
      results: batches.results(batch.id),
      input: this.#input(),
      files,
      nowMs: Date.now(),
    });
    this.#options.handover.throwIfAborted();
    await this.#advance(batch.ending ?? "completed", {
      counts,
      outputFileId: counts.completed > 0 ? batch.outputFileId : null,
      errorFileId: counts.failed > 0 ? batch.errorFileId : null,
    });
    await batches.removeResults(batch.id);
  }

  #fail(problems: BatchRecord["problems"]): Promise<void> {
    return this.#advance("failed", { problems, outputFileId: null, errorFileId: null });
  }

  async #advance(status: BatchRecord["status"], changes: Partial<BatchRecord>): Promise<void> {
    this.#record = advance(this.#record, { status, changes });
    const { batches, metrics, logger } = this.#options.uses;
    await batches.save(this.#record);
    const { id, counts, createdAt } = this.#record;
    if (isOver(this.#record)) metrics.batchesEnded.inc({ status });
    if (status === "in_progress") metrics.batchWaitSeconds.observe(Math.max(0, Date.now() / 1000 - createdAt));
    logger.info({ batch: id, status, ...counts }, "batch advanced");
  }

  #input(): AsyncGenerator<TextLine> {
    const { files, bodyLimitBytes } = this.#options.uses;
    return readInput(files, this.#record, bodyLimitBytes);
  }
}
