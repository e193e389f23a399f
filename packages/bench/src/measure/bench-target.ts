import { Agent } from "node:http";
import { fetchStatus } from "@rhone/client";
import { type ClusterStatus, RhoneError } from "@rhone/common";
import { CpuClock } from "../figures/cpu-clock.js";
import { processName, processTree } from "../figures/process-tree.js";
import { type ClusterSamples, PrometheusSamples } from "../figures/prometheus-samples.js";
import type { Prompts } from "../load/prompts.js";
import { type Load, runStreams } from "../load/run-streams.js";
import { type Connection, type StreamRecord, TokenStream, type TokenStreamOptions } from "../load/token-stream.js";

/** Streams that fill pages at once. */
const FILLING = 16;
/** Whole ones; a sliding window may let go of more. */
const PAGES_OF_PROMPT = 2;

export interface OpenTarget {
  readonly signal: AbortSignal;
  /** For a gateway that asks for one. */
  readonly apiKey?: string | undefined;
  /** Of the cluster on this machine: without it or a key, its operations servers are not found. */
  readonly clusterSecret?: string | undefined;
  /** The processes from which those of the cluster descend; null where they are unknown or on another machine. */
  readonly roots?: readonly number[] | null;
}

/** The cluster under measurement: its gateway takes the load, its operations servers have the counters. */
export class BenchTarget {
  readonly url: string;
  /** When it was opened. */
  readonly status: ClusterStatus;
  /** null for a cluster whose processes are unknown. */
  readonly cpuClock: CpuClock | null;
  readonly connection: Connection;
  readonly #roots: readonly number[];
  /** null where this machine can't reach the operations servers: there are no figures of the stages then. */
  readonly #metricsUrls: MetricsUrls | null;

  private constructor(
    target: Pick<BenchTarget, "url" | "status" | "connection"> & { readonly roots: readonly number[] | null },
    urls: MetricsUrls | null,
  ) {
    this.url = target.url;
    this.#roots = target.roots ?? [];
    this.status = target.status;
    this.cpuClock = target.roots === null ? null : new CpuClock(target.roots);
    this.connection = target.connection;
    this.#metricsUrls = urls;
  }

  /** Throws NOT_RUNNING when no gateway answers, or no pipeline behind it is ready. */
  static async open(url: string, { signal, apiKey, clusterSecret, roots = null }: OpenTarget): Promise<BenchTarget> {
    const { coordinators, gateway } = await fetchStatus(url, { signal, apiKey, clusterSecret });
    const [first] = gateway?.models ?? [];
    // Of several models the first is measured, on all of its pipelines.
    const ofModel = coordinators.filter(({ model }) => first === undefined || model.name === first.name);
    const ready = (ofModel.length === 0 ? coordinators : ofModel).filter(({ state }) => state === "ready");
    const [status] = ready;
    if (status === undefined) {
      const why = coordinators[0]?.reason ?? coordinators[0]?.state ?? "it has no coordinator";
      throw new RhoneError("NOT_RUNNING", `The cluster at ${url} is not ready: ${why}.`);
    }
    const urls = {
      coordinators: ready.map(metricsUrlOf),
      workers: ready.flatMap(({ workers }) => workers.map(metricsUrlOf)),
    };
    const seesInside = await scrapeAll(urls, signal).then(
      () => true,
      () => false,
    );
    // Connections are kept open, so that a measurement does not begin with handshakes.
    const connection = { agent: new Agent({ keepAlive: true }), url, model: status.model.name, apiKey, signal };
    return new BenchTarget({ url, status, roots, connection }, seesInside ? urls : null);
  }

  /** Sends streams to this cluster; see runStreams. */
  run(load: Omit<Load, keyof Connection>): Promise<readonly StreamRecord[]> {
    return runStreams({ ...load, ...this.connection });
  }

  /** Sends one stream and waits for its end. */
  runOne(options: Omit<TokenStreamOptions, keyof Connection>): Promise<StreamRecord> {
    const stream = new TokenStream({ ...options, ...this.connection });
    stream.send();
    return stream.done;
  }

  /** Short streams, as many at once as will be measured: they open connections and touch memory. */
  async warmUp(prompts: Prompts, streams = 1): Promise<void> {
    await this.run({ prompts: prompts.prompts(streams, 8), maxTokens: 4, cache: false });
  }

  /** Fills K/V pages with prompts, which stay cached: a cluster in service holds their memory. */
  async fillPages(prompts: Prompts, pages: number): Promise<void> {
    const length = this.status.pages.size * PAGES_OF_PROMPT;
    for (let filled = 0; filled < pages; filled += FILLING * PAGES_OF_PROMPT)
      await this.run({ prompts: prompts.prompts(FILLING, length), maxTokens: 1, cache: true });
  }

  /** All /metrics pages of coordinators and workers at this moment; null when they are out of reach. */
  async scrape(): Promise<ClusterSamples | null> {
    return this.#metricsUrls === null ? null : scrapeAll(this.#metricsUrls, this.connection.signal);
  }

  /** The cluster's processes on this machine, the bench left out; empty where they are unknown. */
  processes(): readonly { readonly pid: number; readonly name: string }[] {
    const tree = this.#roots.length === 0 ? null : processTree(this.#roots);
    return (tree ?? []).filter(({ pid }) => pid !== process.pid).map(({ pid }) => ({ pid, name: processName(pid) }));
  }

  close(): void {
    this.connection.agent.destroy();
  }
}

interface MetricsUrls {
  readonly coordinators: readonly string[];
  readonly workers: readonly string[];
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
