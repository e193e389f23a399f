import { type ErrorCode, parseErrorCode, RhoneError, type WorkerStanding } from "@rhone/common";
import { describeAmount, describePreparing, type Report } from "../cluster/progress.js";
import { formatBytes, plural } from "../terminal/format.js";

/** Refusals that trying again does not mend, while the worker has never joined. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["UNREACHABLE", "INVALID_CONFIG", "INVALID_REQUEST"]);
/** A pipeline that would take the worker in begins within this time. */
const SETTLED_MS = 4000;

export interface MemberProgressOptions {
  readonly name: string;
  readonly coordinator: string;
  readonly report: Report;
  readonly onFinal: (error: RhoneError) => void;
}

/** Shows how a worker gets on, from joining to a pipeline that is ready, and each change of that later. */
export class MemberProgress {
  readonly #options: MemberProgressOptions;
  #wasJoined = false;
  #isTold = false;
  #lastFailure = "";
  #last = "";
  #settling: NodeJS.Timeout | undefined;

  constructor(options: MemberProgressOptions) {
    this.#options = options;
  }

  /** Takes each standing of the worker. */
  show(standing: WorkerStanding): void {
    clearTimeout(this.#settling);
    if (!standing.joined) this.#showRefusal(standing);
    else {
      this.#showJoined();
      this.#showFailure(standing);
      this.#showPipeline(standing);
    }
  }

  close(): void {
    clearTimeout(this.#settling);
  }

  #showRefusal({ refusal }: WorkerStanding): void {
    const { report, coordinator, onFinal } = this.#options;
    if (refusal === null) return;
    const code = parseErrorCode(refusal.code, "WORKER_LOST");
    if (!this.#wasJoined && FINAL.has(code)) {
      onFinal(new RhoneError(code, refusal.message));
      return;
    }
    if (refusal.message !== this.#last) report({ kind: "warning", text: `${refusal.message} Trying again.` });
    this.#last = refusal.message;
    if (!this.#wasJoined) report({ kind: "phase", phase: "coordinator", text: `asking ${coordinator}`, done: false });
  }

  #showJoined(): void {
    if (this.#wasJoined) return;
    this.#wasJoined = true;
    const { report, name, coordinator } = this.#options;
    const text = `${coordinator} has taken ${name}, and reaches it`;
    report({ kind: "phase", phase: "coordinator", text, done: true });
  }

  #showFailure({ failure }: WorkerStanding): void {
    if (failure !== "" && failure !== this.#lastFailure) this.#options.report({ kind: "warning", text: failure });
    this.#lastFailure = failure || this.#lastFailure;
  }

  #showPipeline(standing: WorkerStanding): void {
    const { pipeline, loading, preparing, loadedBytes, totalBytes } = standing;
    if (pipeline === null) return;
    const { report } = this.#options;
    const { state, layers } = pipeline;
    if (state === "ready" && layers !== null) this.#tell(standing);
    else if (loading && preparing !== null) {
      report({ kind: "phase", phase: "weights", text: describePreparing(preparing), done: false });
    } else if (loading && totalBytes > loadedBytes) {
      report({ kind: "phase", phase: "weights", text: describeAmount(loadedBytes, totalBytes), done: false });
    } else {
      const isUnderWay = loading || state === "loading" || state === "probing";
      if (!isUnderWay) this.#settling = setTimeout(() => this.#tell(standing), SETTLED_MS).unref();
      const text = pipeline.reason === "" ? "waiting for a place" : pipeline.reason;
      report({ kind: "phase", phase: "probe", text, done: false });
    }
  }

  /** The first is what the command waited for. */
  #tell(standing: WorkerStanding): void {
    const { report, name } = this.#options;
    const text = describeStanding(name, standing);
    if (text === this.#last) return;
    this.#last = text;
    const { layers } = standing.pipeline ?? {};
    if (layers != null && !this.#isTold) {
      const loaded = `${formatBytes(standing.totalBytes)}, layers ${layers[0]}-${layers[1] - 1}`;
      report({ kind: "phase", phase: "weights", text: loaded, done: true });
    }
    report(this.#isTold ? { kind: "note", text } : { kind: "member", text });
    this.#isTold = true;
  }
}

/** "b-1 has layers 8-15 of mistral-7b, which 3 workers serve" */
export function describeStanding(name: string, { pipeline }: WorkerStanding): string {
  if (pipeline === null) return name;
  const { state, reason, model, workers, layers, drained = false } = pipeline;
  if (drained) return `${name} is drained: it gets no layers of ${model} until it is started again`;
  const all = `${plural(workers, "worker")} in all`;
  if (state !== "ready") return `${name}, with ${all}; ${model} is not ready: ${reason}`;
  if (layers === null) return `${name} is a spare for ${model}, with ${all}`;
  return `${name} has layers ${layers[0]}-${layers[1] - 1} of ${model}, with ${all}`;
}
