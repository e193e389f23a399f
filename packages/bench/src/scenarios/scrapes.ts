import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Percentiles, percentilesOf } from "../figures/percentiles.js";
import { gapsEndingIn, type SteadyWindow } from "../figures/steady-window.js";
import { DecodingStreams } from "../load/decoding-streams.js";
import { RandomPrompts } from "../load/prompts.js";
import type { BenchTarget } from "../measure/bench-target.js";
import { amount, count, type ValuesOf } from "../options.js";
import { percentileCells, percentileHeading } from "../report/tables.js";
import { defineScenario, type ScenarioResult } from "../scenario.js";

/** One process's pages. */
export interface PageFigures {
  readonly process: "gateway" | "coordinator" | "worker";
  readonly bytes: number;
  /** From asking to the page's last byte, while nothing else is asked for. */
  readonly idleMs: Percentiles;
  /** The same while streams decode and all pages are read. */
  readonly busyMs: Percentiles;
}

export interface ScrapesFigures {
  readonly workers: number;
  readonly pages: readonly PageFigures[];
  /** Of all streams, without anybody who reads metrics. */
  readonly quietItlMs: Percentiles;
  /** While gateway and coordinator are read at each interval. */
  readonly scrapedItlMs: Percentiles;
  readonly itlP50Ratio: number;
  readonly itlP99Ratio: number;
}

const options = {
  streams: count("streams that decode throughout", 8),
  promptTokens: count("prompt tokens of each stream", 16),
  every: count("milliseconds between two readings of a page", 50),
  turns: count("times that the streams decode alone and while pages are read", 3),
  seconds: amount("seconds of each of these", 5),
};

/** Pages that are read one after another before the streams begin. */
const IDLE_PAGES = 40;

type Place = { readonly process: PageFigures["process"]; readonly url: string };

/** What reading /metrics costs, and what it does to streams. */
export const scrapes = defineScenario({
  name: "scrapes",
  description: "time of a page of /metrics of each kind of process, and gaps between tokens while they are read",
  examples: [
    { flags: "", about: "the running cluster" },
    { flags: "--spawn --simulate stage-ms=1 --workers 32", about: "with 32 workers that compute nothing" },
  ],
  options,
  run: (context, values) => context.withCluster((target) => runScrapes(target, values)),
});

async function runScrapes(target: BenchTarget, values: ValuesOf<typeof options>): Promise<ScenarioResult> {
  const { streams, promptTokens, every, turns, seconds } = values;
  const { model, operations, workers } = target.status;
  const [worker] = workers;
  const places: readonly Place[] = [
    { process: "gateway", url: `${target.url}/metrics` },
    { process: "coordinator", url: `http://${operations}/metrics` },
    ...(worker === undefined ? [] : [{ process: "worker" as const, url: `http://${worker.operations}/metrics` }]),
  ];
  const prompts = new RandomPrompts({ vocabSize: model.vocabSize, seed: randomInt(2 ** 32) });
  await target.warmUp(prompts, streams);
  const pages = places.map((place) => new PageReader(place, target.connection.signal));
  for (const page of pages) for (let read = 0; read < IDLE_PAGES; read++) await page.read("idle");

  const decoding = new DecodingStreams({
    ...target.connection,
    prompts: prompts.prompts(streams, promptTokens),
    maxTokens: model.contextLength - promptTokens, // they are left when the last turn is over
    cache: false,
  });
  const quiet: number[] = [];
  const scraped: number[] = [];
  try {
    await decoding.allReach(2); // the gap before a stream's second token may hold the others' prefill
    for (let turn = 0; turn < turns; turn++) {
      quiet.push(...(await gapsDuring(decoding, sleep(1000 * seconds))));
      scraped.push(...(await gapsDuring(decoding, readFor(pages, { every, seconds }))));
    }
  } finally {
    decoding.leave();
  }
  const [quietItlMs, scrapedItlMs] = [percentilesOf(quiet), percentilesOf(scraped)];
  const figures: ScrapesFigures = {
    workers: workers.length,
    pages: pages.map((page) => page.figures),
    quietItlMs,
    scrapedItlMs,
    itlP50Ratio: scrapedItlMs.p50 / quietItlMs.p50,
    itlP99Ratio: scrapedItlMs.p99 / quietItlMs.p99,
  };
  return { figures, report: reportOf(figures, every) };
}

async function gapsDuring(decoding: DecodingStreams, work: Promise<unknown>): Promise<readonly number[]> {
  const from = performance.now();
  await decoding.during(work);
  const window: SteadyWindow = { from, to: performance.now() };
  return decoding.arrivals.flatMap((arrivals) => gapsEndingIn(arrivals, window));
}

/** A worker's page is read as rarely as Prometheus reads it. */
const WORKER_EVERY = 20;

async function readFor(
  pages: readonly PageReader[],
  { every, seconds }: { readonly every: number; readonly seconds: number },
): Promise<void> {
  const begun = performance.now();
  for (let round = 0; performance.now() - begun < 1000 * seconds; round++) {
    const due = pages.filter(({ process }) => process !== "worker" || round % WORKER_EVERY === 0);
    await Promise.all([sleep(every), ...due.map((page) => page.read("busy"))]);
  }
}

class PageReader {
  readonly process: PageFigures["process"];
  readonly #url: string;
  readonly #signal: AbortSignal;
  readonly #ms: Record<"idle" | "busy", number[]> = { idle: [], busy: [] };
  #bytes = 0;

  constructor({ process, url }: Place, signal: AbortSignal) {
    this.process = process;
    this.#url = url;
    this.#signal = signal;
  }

  get figures(): PageFigures {
    const { idle, busy } = this.#ms;
    const { process } = this;
    return { process, bytes: this.#bytes, idleMs: percentilesOf(idle), busyMs: percentilesOf(busy) };
  }

  async read(when: "idle" | "busy"): Promise<void> {
    const begun = performance.now();
    const response = await fetch(this.#url, { signal: this.#signal });
    this.#bytes = (await response.arrayBuffer()).byteLength;
    this.#ms[when].push(performance.now() - begun);
  }
}

function reportOf({ workers, pages, ...itl }: ScrapesFigures, every: number): ScenarioResult["report"] {
  return [
    {
      heading: [
        "PAGE OF",
        "BYTES",
        ...percentileHeading("IDLE"),
        ...percentileHeading("DECODING").map((name) => name.replace("ms", "")),
      ],
      rows: pages.map(({ process, bytes, idleMs, busyMs }) => [
        process,
        String(bytes),
        ...percentileCells(idleMs),
        ...percentileCells(busyMs),
      ]),
    },
    {
      heading: ["STREAMS", ...percentileHeading("ITL")],
      rows: [
        ["alone", ...percentileCells(itl.quietItlMs)],
        [`read each ${every} ms`, ...percentileCells(itl.scrapedItlMs)],
      ],
    },
    `${workers} workers; ITL while pages are read / alone: p50 ${itl.itlP50Ratio.toFixed(2)}, ` +
      `p99 ${itl.itlP99Ratio.toFixed(2)}`,
  ];
}
