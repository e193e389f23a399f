import type { LivePipeline } from "@rhone/common";

export type LiveWorker = LivePipeline["workers"][number];
type Layers = readonly [number, number];

/** A place in the pipeline's drawing. */
export type Place =
  | { readonly kind: "stage"; readonly worker: LiveWorker; readonly layers: Layers }
  /** A worker that had these layers, and is gone. */
  | { readonly kind: "gone"; readonly name: string; readonly layers: Layers };

export interface Drawing {
  /** In the order of their layers. */
  readonly places: readonly Place[];
  readonly spares: readonly LiveWorker[];
}

/** How long a loss is shown at least: others may take over before somebody looks. */
const SHOWN_MS = 6000;

interface Held {
  readonly name: string;
  readonly layers: Layers;
}

interface Lost extends Held {
  readonly atMs: number;
}

/** What each pipeline had, so that what it has lost is drawn where it was. */
export class Drawings {
  readonly #cuts = new Map<string, readonly Held[]>();
  readonly #lost = new Map<string, readonly Lost[]>();

  /** `nowMs`: on any clock. A worker that ends in order is not lost. */
  draw(pipeline: LivePipeline, nowMs: number): Drawing {
    const { coordinator, workers, state } = pipeline;
    const present = new Set(workers.map(({ worker }) => worker));
    const known = this.#lost.get(coordinator) ?? [];
    const fresh = (this.#cuts.get(coordinator) ?? [])
      .filter(({ name }) => !present.has(name) && !known.some((lost) => lost.name === name))
      .map((held) => ({ ...held, atMs: nowMs }));
    const lost = [...known, ...fresh].filter(({ name, atMs }) => {
      return !present.has(name) && (state !== "ready" || nowMs - atMs < SHOWN_MS);
    });
    this.#lost.set(coordinator, lost);
    const stages = workers.flatMap((worker): Extract<Place, { kind: "stage" }>[] =>
      worker.layers === null ? [] : [{ kind: "stage", worker, layers: worker.layers }],
    );
    const staying = stages.filter(({ worker }) => worker.going === undefined);
    this.#cuts.set(
      coordinator,
      staying.map(({ worker, layers }) => ({ name: worker.worker, layers })),
    );
    const gone = lost.map(({ name, layers }): Place => ({ kind: "gone", name, layers }));
    return {
      places: [...gone, ...stages].sort((a, b) => a.layers[0] - b.layers[0] || a.layers[1] - b.layers[1]),
      spares: workers.filter(({ layers }) => layers === null),
    };
  }
}
