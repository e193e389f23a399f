import { readCliConfig } from "../../config.js";
import { BenchTarget } from "../bench-target.js";
import type { BenchContext } from "../scenario.js";

/** A context whose one cluster is at `url`. */
export function fakeContext(url: string): BenchContext {
  const { signal } = new AbortController();
  return {
    config: readCliConfig(),
    signal,
    note: () => {},
    spawns: false,
    withCluster: async (body) => {
      const target = await BenchTarget.open(url, { signal });
      return body(target).finally(() => target.close());
    },
  };
}
