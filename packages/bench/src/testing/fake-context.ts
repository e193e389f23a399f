import { fileURLToPath } from "node:url";
import { BenchTarget } from "../measure/bench-target.js";
import type { BenchContext } from "../scenario.js";

/** A context whose one cluster is at `url`. */
export function fakeContext(url: string): BenchContext {
  const { signal } = new AbortController();
  return {
    signal,
    note: () => {},
    isWatched: false,
    spawns: false,
    simulation: undefined,
    ggmlDir: undefined,
    kernels: "auto",
    simulationEntry: SIMULATION,
    withCluster: async (body) => {
      const target = await BenchTarget.open(url, { signal });
      return body(target).finally(() => target.close());
    },
    withLocalCluster: withoutProcesses,
    withBreakableCluster: withoutProcesses,
  };
}

const SIMULATION = fileURLToPath(new URL("../../../../services/coordinator/dist/simulation/main.js", import.meta.url));

async function withoutProcesses(): Promise<never> {
  throw new Error("A fake cluster has no processes");
}
