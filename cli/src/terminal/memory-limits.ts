import { formatBytes } from "@rhone/common";

interface Limited {
  readonly worker: string;
  /** Bytes that it may use. */
  readonly memoryTotal: number;
  /** Where these come from; "" or absent: it is not known. */
  readonly memoryFrom?: string | undefined;
}

/** "4.5 GB per worker: 30 % of 15.0 GB free"; where they differ, a line for each limit, "4.5 GB of a, b: --memory". */
export function describeLimits(workers: readonly Limited[]): readonly string[] {
  const known = workers.filter(({ memoryFrom = "" }) => memoryFrom !== "");
  const limit = ({ memoryTotal, memoryFrom }: Limited, whose: string): string =>
    `${formatBytes(memoryTotal)}${whose}: ${memoryFrom}`;
  const all = known.map((worker) => limit(worker, workers.length > 1 ? " per worker" : ""));
  const different = [...new Set(all)];
  if (different.length === 1 && known.length === workers.length) return different;
  return different.map((text) => {
    const alike = known.filter((_, index) => all[index] === text);
    const [first] = alike;
    return first === undefined ? text : limit(first, ` of ${alike.map(({ worker }) => worker).join(", ")}`);
  });
}
