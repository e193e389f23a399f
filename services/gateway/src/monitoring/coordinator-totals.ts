import type { ClusterStatus } from "@rhone/common";
import type { ModelView } from "./cluster-view.js";
import type { Family, Labels } from "./exposition.js";

/** Coordinators that are remembered; those that are gone don't come back under their id. */
const MOST_KNOWN = 256;

/** A counter of coordinators under vLLM's name, with the value of each series by its further labels. */
interface Total {
  readonly name: string;
  readonly help: string;
  readonly of: (status: ClusterStatus) => readonly { readonly labels?: Labels; readonly value: number }[];
}

const one = (value: number | undefined) => [{ value: value ?? 0 }];

const TOTALS: readonly Total[] = [
  {
    name: "num_preemptions_total",
    help: "Sequences that lost their K/V pages to others and were prefilled again.",
    of: ({ evictions }) => one(evictions),
  },
  {
    name: "spec_decode_num_drafts_total",
    help: "Times at which tokens of a sequence were guessed ahead in a step.",
    of: ({ drafts }) => one(drafts?.rounds),
  },
  {
    name: "spec_decode_num_draft_tokens_total",
    help: "Tokens guessed ahead.",
    of: ({ tokens }) => one(tokens?.drafted),
  },
  {
    name: "spec_decode_num_accepted_tokens_total",
    help: "Tokens guessed ahead that were right.",
    of: ({ tokens }) => one(tokens?.accepted),
  },
  {
    name: "spec_decode_num_accepted_tokens_per_pos_total",
    help: "Tokens guessed ahead that were right, by their position behind the known token.",
    of: ({ drafts }) => (drafts?.right ?? []).map((value, at) => ({ labels: { position: String(at) }, value })),
  },
];

/**
 * Sums of the counters of a model's coordinators that only rise: what a coordinator counted stays when it is gone, and
 * the sum of those that live would fall, which Prometheus takes for a counter that began again.
 */
export class CoordinatorTotals {
  /** By series. */
  readonly #sums = new Map<string, number>();
  /** By coordinator, its values at the last look by series. */
  readonly #known = new Map<string, Map<string, number>>();

  families(models: readonly ModelView[], common: Labels): readonly Family[] {
    for (const { name, coordinators } of models) for (const status of coordinators) this.#add(name, status);
    return TOTALS.map(({ name, help, of }) => ({
      name: `vllm:${name}`,
      help,
      type: "counter",
      series: models.flatMap((model) => {
        const labels = { ...common, model_name: model.name };
        const all = new Map(
          model.coordinators.flatMap(of).map(({ labels: more = {} }) => [JSON.stringify(more), more]),
        );
        const series = all.size === 0 && name !== PER_POSITION ? [{}] : [...all.values()];
        return series.map((more) => ({
          labels: { ...labels, ...more },
          value: this.#sums.get(keyOf(model.name, name, more)) ?? 0,
        }));
      }),
    }));
  }

  #add(model: string, status: ClusterStatus): void {
    const known = this.#known.get(status.coordinator) ?? new Map<string, number>();
    // The latest seen is the last: one that lives is not forgotten, or all that it counted would be added again.
    this.#known.delete(status.coordinator);
    this.#known.set(status.coordinator, known);
    for (const { name, of } of TOTALS) {
      for (const { labels = {}, value } of of(status)) {
        const key = keyOf(model, name, labels);
        this.#sums.set(key, (this.#sums.get(key) ?? 0) + Math.max(0, value - (known.get(key) ?? 0)));
        known.set(key, value);
      }
    }
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }
}

const PER_POSITION = "spec_decode_num_accepted_tokens_per_pos_total";

const keyOf = (model: string, name: string, labels: Labels): string => JSON.stringify([model, name, labels]);
