import type { GenerationEvent, GenerationJob } from "@rhone/common";
import type { Writer } from "../answers/writer.js";
import type { Metrics } from "../metrics.js";

/** Whose run is measured. */
export interface MeteredRequest {
  /** At least one; all of one model and lane. */
  readonly jobs: readonly Pick<GenerationJob, "requestId" | "model" | "lane" | "maxTokens">[];
  readonly writer: Pick<Writer, "usage">;
}

export interface RequestMeterOptions extends MeteredRequest {
  readonly metrics: Metrics;
  /** Whether somebody waits for its tokens: times between them are measured. */
  readonly isTimed: boolean;
  /** Milliseconds on a monotonic clock. */
  readonly now?: () => number;
}

/** Of one choice: when its first and its latest tokens came, and how many there are. */
interface Progress {
  readonly firstAt: number;
  lastAt: number;
  tokens: number;
}

/** Takes in the events of one request's choices, and tells the metrics of tokens, lengths, times and reasons. */
export class RequestMeter {
  readonly #options: RequestMeterOptions;
  readonly #labels: { readonly model_name: string };
  readonly #lane: { readonly model_name: string; readonly lane: string };
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #progress = new Map<string, Progress>();
  #unfinished: number;
  #longest = 0;

  constructor(options: RequestMeterOptions) {
    const { jobs, now = () => performance.now() } = options;
    const [{ model = "", lane = "interactive" } = {}] = jobs;
    this.#options = options;
    this.#labels = { model_name: model };
    this.#lane = { model_name: model, lane };
    this.#now = now;
    this.#startedAt = now();
    this.#unfinished = jobs.length;
  }

  get labels(): { readonly model_name: string } {
    return this.#labels;
  }

  /** Since it was made. */
  get seconds(): number {
    return (this.#now() - this.#startedAt) / 1000;
  }

  took(event: GenerationEvent): void {
    const { metrics } = this.#options;
    if (event.tokens.length > 0) {
      metrics.completionTokens.inc(this.#labels, event.tokens.length);
      this.#time(event);
    }
    if (event.finish !== undefined) this.#finished(event);
  }

  /** The run is over; choices that have not finished ended for `reason`. */
  ended(reason: "ok" | "abort" | "error"): void {
    const { metrics, jobs, writer } = this.#options;
    const { prompt_tokens, prompt_tokens_details } = writer.usage;
    metrics.promptTokens.inc(this.#labels, prompt_tokens);
    metrics.cachedTokens.inc(this.#labels, prompt_tokens_details.cached_tokens);
    if (reason !== "ok" && this.#unfinished > 0)
      metrics.choicesFinished.inc({ ...this.#lane, reason }, this.#unfinished);
    metrics.askedChoices.observe(this.#lane, jobs.length);
    metrics.askedTokens.observe(this.#lane, jobs[0]?.maxTokens ?? 0);
    if (this.#longest > 0) metrics.longestAnswer.observe(this.#lane, this.#longest);
  }

  #time({ requestId, tokens: { length } }: GenerationEvent): void {
    const { metrics, isTimed } = this.#options;
    const now = this.#now();
    const progress = this.#progress.get(requestId);
    if (progress === undefined) {
      if (isTimed && this.#progress.size === 0) metrics.firstTokenSeconds.observe(this.#labels, this.seconds);
      this.#progress.set(requestId, { firstAt: now, lastAt: now, tokens: length });
      return;
    }
    const each = (now - progress.lastAt) / length / 1000;
    for (let token = 0; isTimed && token < length; token++) metrics.interTokenSeconds.observe(this.#labels, each);
    progress.lastAt = now;
    progress.tokens += length;
  }

  #finished({ requestId, finish, usage, timings }: GenerationEvent): void {
    const { metrics, isTimed } = this.#options;
    this.#unfinished--;
    metrics.choicesFinished.inc({ ...this.#lane, reason: finish?.reason === "length" ? "length" : "stop" });
    if (usage !== undefined) {
      metrics.promptLength.observe(this.#lane, usage.promptTokens);
      metrics.answerLength.observe(this.#lane, usage.completionTokens);
      this.#longest = Math.max(this.#longest, usage.completionTokens);
    }
    if (timings !== undefined) {
      const { queuedMs, prefillMs, decodeMs } = timings;
      metrics.queueSeconds.observe(this.#lane, queuedMs / 1000);
      metrics.prefillSeconds.observe(this.#lane, prefillMs / 1000);
      metrics.decodeSeconds.observe(this.#lane, decodeMs / 1000);
      metrics.computeSeconds.observe(this.#lane, (prefillMs + decodeMs) / 1000);
    }
    const { firstAt, lastAt, tokens } = this.#progress.get(requestId) ?? { firstAt: 0, lastAt: 0, tokens: 0 };
    if (isTimed && tokens > 1)
      metrics.outputTokenSeconds.observe(this.#labels, (lastAt - firstAt) / (tokens - 1) / 1000);
  }
}
