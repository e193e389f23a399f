import { type ClusterStatus, LANES } from "@rhone/common";
import type { Metrics } from "../metrics.js";
import type { ModelView } from "./cluster-view.js";
import { CoordinatorTotals } from "./coordinator-totals.js";
import { type Family, type Labels, writeFamily } from "./exposition.js";

type Labelled = Pick<Metrics["requests"], "get">;
type Kind = Family["type"];

/** A metric of ours under vLLM's name; `labels`: which of ours are kept, by their names there. */
interface Alias {
  readonly name: string;
  readonly type: Kind;
  readonly of: (metrics: Metrics) => Labelled;
  readonly labels?: Readonly<Record<string, string>>;
  /** The part of the series that is meant, by our labels. */
  readonly where?: Labels;
}

const histogram = (name: string, of: (metrics: Metrics) => unknown): Alias => ({
  name,
  type: "histogram",
  of: of as Alias["of"],
});
const counter = (name: string, of: (metrics: Metrics) => unknown): Alias => ({
  name,
  type: "counter",
  of: of as Alias["of"],
});

/** As in vllm/v1/metrics/loggers.py. */
const ALIASES: readonly Alias[] = [
  histogram("time_to_first_token_seconds", (own) => own.firstTokenSeconds),
  histogram("inter_token_latency_seconds", (own) => own.interTokenSeconds),
  histogram("request_time_per_output_token_seconds", (own) => own.outputTokenSeconds),
  histogram("e2e_request_latency_seconds", (own) => own.requestSeconds),
  histogram("request_queue_time_seconds", (own) => own.queueSeconds),
  histogram("request_prefill_time_seconds", (own) => own.prefillSeconds),
  histogram("request_decode_time_seconds", (own) => own.decodeSeconds),
  histogram("request_inference_time_seconds", (own) => own.computeSeconds),
  histogram("request_prompt_tokens", (own) => own.promptLength),
  histogram("request_generation_tokens", (own) => own.answerLength),
  histogram("request_max_num_generation_tokens", (own) => own.longestAnswer),
  histogram("request_params_n", (own) => own.askedChoices),
  histogram("request_params_max_tokens", (own) => own.askedTokens),
  { ...counter("request_success_total", (own) => own.choicesFinished), labels: { reason: "finished_reason" } },
  counter("prompt_tokens_total", (own) => own.promptTokens),
  counter("prompt_tokens_cached_total", (own) => own.cachedTokens),
  counter("prefix_cache_queries_total", (own) => own.promptTokens),
  counter("prefix_cache_hits_total", (own) => own.cachedTokens),
  counter("generation_tokens_total", (own) => own.completionTokens),
];

/** vLLM numbers its engines; a gateway shows all pipelines of a model as one. */
const ENGINE = { engine: "0" };

/** The metrics of a gateway, and of the cluster behind it, under the names of vLLM's. */
export class VllmNames {
  readonly #metrics: Metrics;
  readonly #totals = new CoordinatorTotals();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** In Prometheus' text format. `models`: null where the cluster is not known. */
  async page(models: readonly ModelView[] | null): Promise<string> {
    const own = await Promise.all(ALIASES.map((alias) => this.#renamed(alias)));
    return [...own, ...(models === null ? [] : this.#ofCluster(models))].map(writeFamily).join("\n");
  }

  async #renamed({ name, type, of, labels = {} }: Alias): Promise<Family> {
    const { name: ours, help, values } = await of(this.#metrics).get();
    const kept = { model_name: "model_name", le: "le", ...labels } as const;
    const sums = new Map<string, { suffix: string; labels: Labels; value: number }>();
    for (const { labels: its, value, ...rest } of values) {
      const metricName = "metricName" in rest ? String(rest.metricName) : ours;
      const suffix = metricName.slice(ours.length);
      const named: Record<string, string> = { ...ENGINE };
      for (const [from, to] of Object.entries(kept)) {
        const text = Reflect.get(its, from);
        if (text !== undefined) named[to] = String(text);
      }
      const key = `${suffix}\n${Object.values(named).join("\n")}`;
      const sum = sums.get(key);
      if (sum === undefined) sums.set(key, { suffix, labels: named, value });
      else sum.value += value;
    }
    return { name: `vllm:${name}`, help: `As ${ours}: ${help}`, type, series: [...sums.values()] };
  }

  #ofCluster(models: readonly ModelView[]): readonly Family[] {
    const gauge = (name: string, help: string, value: (model: ModelView) => number): Family => ({
      name: `vllm:${name}`,
      help,
      type: "gauge",
      series: models.map((model) => ({ labels: { ...ENGINE, model_name: model.name }, value: value(model) })),
    });
    return [
      gauge("num_requests_running", "Sequences that run, in all pipelines of the model.", running),
      gauge("num_requests_waiting", "Choices in the model's queues, and sequences that wait in coordinators.", waiting),
      {
        name: "vllm:num_requests_waiting_by_reason",
        help: "As num_requests_waiting. All wait for capacity.",
        type: "gauge",
        series: models.flatMap((model) => {
          const labels = { ...ENGINE, model_name: model.name };
          return [
            { labels: { ...labels, reason: "capacity" }, value: waiting(model) },
            { labels: { ...labels, reason: "deferred" }, value: 0 },
          ];
        }),
      },
      gauge("kv_cache_usage_perc", "Share of the K/V pages that sequences hold, 0 to 1.", usage),
      {
        name: "vllm:cache_config_info",
        help: "1, with the positions of a K/V page and the pages of each pipeline.",
        type: "gauge",
        series: models.flatMap(({ name, coordinators }) => coordinators.map((one, at) => cacheConfig(name, one, at))),
      },
      ...this.#totals.families(models, ENGINE),
    ];
  }
}

const sum = (coordinators: readonly ClusterStatus[], of: (status: ClusterStatus) => number): number =>
  coordinators.reduce((total, status) => total + of(status), 0);

const running = ({ coordinators }: ModelView): number => sum(coordinators, ({ sequences }) => sequences.running);

const waiting = ({ coordinators, queues }: ModelView): number =>
  sum(coordinators, ({ sequences }) => sequences.waiting) +
  LANES.reduce((total, lane) => total + queues[lane].waiting, 0);

function usage({ coordinators }: ModelView): number {
  const total = sum(coordinators, ({ pages }) => pages.total);
  return total === 0 ? 0 : sum(coordinators, ({ pages }) => pages.total - pages.free - pages.cached) / total;
}

const cacheConfig = (name: string, { pages, kvType }: ClusterStatus, engine: number) => ({
  labels: {
    engine: String(engine),
    model_name: name,
    block_size: String(pages.size),
    num_gpu_blocks: String(pages.total),
    cache_dtype: kvType,
  },
  value: 1,
});
