import { setMaxListeners } from "node:events";
import { RhoneError } from "@rhone/common";
import { newFileId } from "../files/file-record.js";
import type { TextLine } from "../files/read-lines.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { servedNames } from "../requests/served-model.js";
import { isProblem, parseBatchLine } from "./batch-line.js";
import { addUsage, advance, type BatchEnding, type BatchRecord } from "./batch-record.js";
import { readInput } from "./read-input.js";
import { type LineResult, type ResultLog, type ResultSummary, summarizeResults } from "./result-log.js";
import { runLine } from "./run-line.js";
import { validateInput } from "./validate-input.js";
import { writeResultFiles } from "./write-result-files.js";

export interface BatchRunOptions {
  readonly deps: GatewayDeps;
  readonly batch: BatchRecord;
  /** Aborted when the batch is to be left to another gateway: its generations go on. */
  readonly handover: AbortSignal;
  readonly linesInFlight: number;
  readonly mostLines: number;
  /** Between looks at the clock and for a cancellation. */
  readonly tickMs: number;
  /** Before a line is tried again after an outage, at first. */
  readonly pauseMs: number;
}

/** Takes one batch from the state it is in to its end. Its owner alone runs it. */
export class BatchRun {
  readonly #options: BatchRunOptions;
  readonly #stop = new AbortController();
  #record: BatchRecord;
  #ending: BatchEnding = "completed";
  #changed = false;
  #savedAtMs = 0;
  /** One look around at a time: an older record must not be written over a newer one. */
  #looking: Promise<void> | undefined;

  constructor(options: BatchRunOptions) {
    this.#options = options;
    this.#record = options.batch;
    // As many lines listen as run.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Resolves when the batch is over. Rejects with the reason of `handover`, or when it has to be tried again. */
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
    const { deps, mostLines } = this.#options;
    const names = servedNames(deps.model, await deps.cluster.coordinators());
    const rules = { ...this.#record, mostLines, isServed: (model: string) => names.includes(model) };
    const { problems, total, model } = await validateInput(this.#input(), rules);
    this.#options.handover.throwIfAborted();
    if (problems.length > 0) return this.#fail(problems);
    await this.#advance("in_progress", { model, counts: { total, completed: 0, failed: 0 } });
  }

  async #process(): Promise<void> {
    const { batches } = this.#options.deps;
    const { id } = this.#record;
    const known = await summarizeResults(batches.results(id));
    this.#count(known);
    const log = await batches.newResults(id);
    const giveUp = () => this.#stop.abort(this.#options.handover.reason);
    this.#options.handover.addEventListener("abort", giveUp, { once: true });
    if (this.#options.handover.aborted) giveUp();
    const timer = setInterval(() => this.#tick(log), this.#options.tickMs);
    try {
      await this.#lookAround(log);
      await this.#runLines(known.lines, log);
    } finally {
      clearInterval(timer);
      this.#options.handover.removeEventListener("abort", giveUp);
      await this.#looking;
      await log.close();
    }
    this.#options.handover.throwIfAborted();
    await this.#advance("finalizing", { ending: this.#ending, outputFileId: newFileId(), errorFileId: newFileId() });
  }

  /** So many lines at a time, each taken from the input when there is room for it. */
  async #runLines(done: ReadonlySet<number>, log: ResultLog): Promise<void> {
    const lines = this.#input();
    const work = async () => {
      for (;;) {
        const next = await lines.next();
        if (next.done === true || this.#stop.signal.aborted) return;
        if (!done.has(next.value.number)) await this.#runLine(next.value, log);
      }
    };
    const workers = Array.from({ length: this.#options.linesInFlight }, () =>
      work().catch((error: unknown) => {
        // One that fails stops the others, whose generations are found again; one that was stopped ends quietly.
        const isFirst = !this.#stop.signal.aborted;
        if (isFirst) this.#stop.abort(new RhoneError("SHUTTING_DOWN", "The batch was interrupted.", { cause: error }));
        if (isFirst || error !== this.#stop.signal.reason) throw error;
      }),
    );
    const ended = await Promise.allSettled(workers);
    await lines.return(undefined);
    for (const each of ended) if (each.status === "rejected") throw each.reason;
    const { aborted, reason } = this.#stop.signal;
    if (aborted && this.#ending === "completed") throw reason;
  }

  async #runLine({ number, text }: TextLine, log: ResultLog): Promise<void> {
    const { deps, pauseMs } = this.#options;
    const batch = this.#record;
    const line = parseBatchLine(text, number, batch);
    if (isProblem(line)) throw new Error(`Line ${number} of ${batch.id} has changed since it was validated`);
    const result = await runLine({ deps, batch, number, line, signal: this.#stop.signal, pauseMs });
    await log.append(result);
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
    this.#options.deps.metrics.batchLines.inc({ outcome: ok ? "ok" : "error" });
  }

  /** What earlier owners did. */
  #count({ completed, failed, usage }: ResultSummary): void {
    this.#record = { ...this.#record, counts: { total: this.#record.counts.total, completed, failed }, usage };
  }

  #tick(log: ResultLog): void {
    this.#looking ??= this.#lookAround(log)
      .catch((err: unknown) => {
        this.#options.deps.logger.warn({ err, batch: this.#record.id }, "batch not looked after, trying again");
      })
      .finally(() => {
        this.#looking = undefined;
      });
  }

  async #lookAround(log: ResultLog): Promise<void> {
    const { batches } = this.#options.deps;
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

  /** Counts only what is kept. */
  async #saveCounts(log: ResultLog): Promise<void> {
    const record = this.#record;
    await log.sync();
    await this.#options.deps.batches.save(record);
  }

  #end(ending: "cancelled" | "expired"): void {
    if (this.#stop.signal.aborted) return;
    this.#ending = ending;
    this.#stop.abort(new RhoneError("CANCELLED", `The batch is ${ending}.`));
  }

  async #finalize(): Promise<void> {
    const { files, batches } = this.#options.deps;
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
    this.#record = advance(this.#record, status, changes);
    await this.#options.deps.batches.save(this.#record);
    const { id, counts } = this.#record;
    this.#options.deps.logger.info({ batch: id, status, ...counts }, "batch advanced");
  }

  #input(): AsyncGenerator<TextLine> {
    const { files, bodyLimitBytes } = this.#options.deps;
    return readInput(files, this.#record, bodyLimitBytes);
  }
}
