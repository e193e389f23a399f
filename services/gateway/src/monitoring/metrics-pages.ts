import { LANES, metricsPage } from "@rhone/common";
import type { Histogram } from "prom-client";
import type { Metrics } from "../metrics.js";
import type { ClusterView, ModelView } from "./cluster-view.js";
import { VllmNames } from "./vllm-names.js";

export interface MetricsPagesOptions {
  readonly metrics: Metrics;
  readonly view: ClusterView;
  /** Whether vLLM's names are served beside our own. */
  readonly vllmNames: boolean;
}

/** What GET /metrics of a gateway answers. */
export class MetricsPages {
  readonly #options: MetricsPagesOptions;
  readonly #vllm: VllmNames | null;
  /** Models whose series exist. */
  readonly #begun = new Set<string>();

  constructor(options: MetricsPagesOptions) {
    this.#options = options;
    this.#vllm = options.vllmNames ? new VllmNames(options.metrics) : null;
  }

  async page(): Promise<string> {
    const { metrics, view } = this.#options;
    const models = await view.look();
    for (const { name } of models ?? []) await this.#begin(name);
    showQueues(metrics, models ?? []);
    const pages = [metricsPage(metrics.registry), this.#vllm?.page(models) ?? ""];
    return (await Promise.all(pages)).join("\n");
  }

  /** Prometheus takes no rise from a series that was not there before. */
  async #begin(model: string): Promise<void> {
    if (this.#begun.has(model)) return;
    this.#begun.add(model);
    const labels = { model_name: model };
    const lane = { ...labels, lane: "interactive" } as const;
    const { metrics: own } = this.#options;
    for (const each of [own.firstTokenSeconds, own.interTokenSeconds, own.outputTokenSeconds, own.requestSeconds])
      await begin(each, labels);
    for (const each of [own.queueSeconds, own.prefillSeconds, own.decodeSeconds, own.computeSeconds])
      await begin(each, lane);
    for (const each of [own.promptLength, own.answerLength, own.longestAnswer, own.askedChoices, own.askedTokens])
      await begin(each, lane);
    for (const each of [own.promptTokens, own.cachedTokens, own.completionTokens, own.running]) each.inc(labels, 0);
    for (const reason of ["stop", "length", "abort", "error"]) own.choicesFinished.inc({ ...lane, reason }, 0);
  }
}

/** Makes the series with these labels, unless it exists. */
async function begin<T extends string>(
  histogram: Pick<Histogram<T>, "get" | "zero">,
  labels: Readonly<Record<T, string>>,
): Promise<void> {
  const { values } = await histogram.get();
  const isThere = values.some((value) => Object.keys(labels).every((key) => isEqual(value.labels, labels, key)));
  if (!isThere) histogram.zero(labels);
}

const isEqual = (a: object, b: object, key: string): boolean => Reflect.get(a, key) === Reflect.get(b, key);

function showQueues({ queueJobs, queueOldest }: Metrics, models: readonly ModelView[]): void {
  queueJobs.reset();
  queueOldest.reset();
  for (const { name, queues } of models) {
    for (const lane of LANES) {
      const { waiting, taken, oldestMs } = queues[lane];
      const labels = { model_name: name, lane };
      queueJobs.set({ ...labels, state: "waiting" }, waiting);
      queueJobs.set({ ...labels, state: "taken" }, taken);
      queueOldest.set(labels, oldestMs / 1000);
    }
  }
}
