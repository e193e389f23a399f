import type { ClusterStatus } from "@rhone/common";

/** A cluster as a result names it: what decides its figures, and no path of this machine. */
export interface MeasuredCluster {
  readonly model: {
    readonly name: string;
    readonly layers: number;
    readonly parameters: number;
    readonly fileBytes: number;
    readonly contextLength: number;
    readonly slidingWindow: number | null;
  };
  readonly kvType: string;
  readonly pages: { readonly size: number; readonly total: number };
  /** In the order of the stages; spares last. */
  readonly workers: readonly {
    readonly device: string;
    readonly threads: number;
    readonly layers: readonly [first: number, last: number] | null;
  }[];
}

export function describeCluster({ model, kvType, pages, workers }: ClusterStatus): MeasuredCluster {
  const { name, nLayers, parameters, fileBytes, contextLength, slidingWindow } = model;
  const firstLayer = (worker: { readonly layers: MeasuredCluster["workers"][number]["layers"] }): number =>
    worker.layers?.[0] ?? nLayers;
  return {
    model: { name, layers: nLayers, parameters, fileBytes, contextLength, slidingWindow },
    kvType,
    pages: { size: pages.size, total: pages.total },
    workers: workers
      .toSorted((a, b) => firstLayer(a) - firstLayer(b))
      .map(({ device, threads, layers }) => ({ device, threads, layers })),
  };
}
