import { Agent } from "node:http";
import { fetchStatus } from "@rhone/client";
import { type ClusterStatus, RhoneError } from "@rhone/common";
import { CpuClock } from "../figures/cpu-clock.js";
import { type ClusterSamples, PrometheusSamples } from "../figures/prometheus-samples.js";
import type { Prompts } from "../load/prompts.js";
import { type Load, runStreams } from "../load/run-streams.js";
import type { Connection, StreamRecord } from "../load/token-stream.js";

/** The cluster that is measured: its gateway takes the load, its operations servers tell what went on inside. */
export class BenchTarget {
  readonly url: string;
  readonly status: ClusterStatus;
  /** Connections are kept: a measurement does not begin with handshakes. */
  readonly agent = new Agent({ keepAlive: true });
  /** Whether the operations servers can be reached: without them there are no figures of the stages. */
  readonly seesInside: boolean;
  /** null for a cluster whose processes are not known. */
  readonly cpuClock: CpuClock | null;
  readonly #signal: AbortSignal;
  readonly #apiKey: string | undefined;
  readonly #metricsUrls: MetricsUrls;

  private constructor(
    url: string,
    status: ClusterStatus,
    about: Pick<BenchTarget, "seesInside" | "cpuClock"> & TargetLinks,
  ) {
    this.url = url;
    this.status = status;
    this.seesInside = about.seesInside;
    this.cpuClock = about.cpuClock;
    this.#metricsUrls = about.metricsUrls;
    this.#signal = about.signal;
    this.#apiKey = about.apiKey;
  }

  /**
   * Throws NOT_RUNNING when nobody answers or no pipeline is ready behind the gateway.
   */
  static async open(url: string, { signal, apiKey, roots = null }: OpenTarget): Promise<BenchTarget> {
    const { coordinators } = await fetchStatus(url, signal);
    const ready = coordinators.filter(({ state }) => state === "ready");
    const [status] = ready;
    if (status !== undefined) {
      const metricsUrls = {
        coordinators: ready.map(metricsUrlOf),
        workers: ready.flatMap(({ workers }) => workers.map(metricsUrlOf)),
      };
      const seesInside = await scrapeAll(metricsUrls, signal).then(
        () => true,
        () => false,
      );
      const cpuClock = roots === null ? null : new CpuClock(roots);
      return new BenchTarget(url, status, { seesInside, cpuClock, metricsUrls, signal, apiKey });
    }
    const why = coordinators[0]?.reason ?? coordinators[0]?.state ?? "no coordinator";
    throw new RhoneError("NOT_RUNNING", `The cluster at ${url} is not ready: ${why}.`);
  }

  /** Sends streams to this cluster; see runStreams. */
  run(load: Omit<Load, keyof Connection>): Promise<readonly StreamRecord[]> {
    return runStreams({ ...load, ...this.connection });
  }

  /** Short streams, as many at once as will be measured: they open connections and touch memory. */
  async warmUp(prompts: Prompts, streams = 1): Promise<void> {
    await this.run({ prompts: prompts.prompts(streams, 8), maxTokens: 4, cache: false });
  }

  get connection(): Connection {
    const { agent, url, status } = this;
    return { agent, url, model: status.model.name, apiKey: this.#apiKey, signal: this.#signal };
  }

  /** All /metrics pages of coordinators and workers, as of now; null when they are out of reach from here. */
  async scrape(): Promise<ClusterSamples | null> {
    return this.seesInside ? scrapeAll(this.#metricsUrls, this.#signal) : null;
  }

  close(): void {
    this.agent.destroy();
  }
}

interface MetricsUrls {
  readonly coordinators: readonly string[];
  readonly workers: readonly string[];
}

interface TargetLinks {
  readonly metricsUrls: MetricsUrls;
  readonly signal: AbortSignal;
  readonly apiKey: string | undefined;
}

export interface OpenTarget {
  readonly signal: AbortSignal;
  /** For a gateway that asks for one. */
  readonly apiKey?: string | undefined;
  /** The processes whose descendants make up the cluster, when they are on this machine and known. */
  readonly roots?: readonly number[] | null;
}

const metricsUrlOf = ({ operations }: { readonly operations: string }): string => `http://${operations}/metrics`;

async function scrapeAll({ coordinators, workers }: MetricsUrls, signal: AbortSignal): Promise<ClusterSamples> {
  const pages = (urls: readonly string[]) =>
    Promise.all(urls.map(async (url) => (await fetch(url, { signal })).text()));
  const [coordinatorPages, workerPages] = await Promise.all([pages(coordinators), pages(workers)]);
  return {
    coordinators: PrometheusSamples.parse(coordinatorPages),
    workers: workerPages.map((page) => PrometheusSamples.parse([page])),
  };
}
