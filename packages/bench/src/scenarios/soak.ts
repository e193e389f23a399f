import { setTimeout as sleep } from "node:timers/promises";
import { RhoneError } from "@rhone/common";
import type { Asking } from "../chaos/asked-stream.js";
import { askKnown } from "../chaos/load.js";
import type { LocalCluster } from "../chaos/local-cluster.js";
import { questionsOf } from "../chaos/questions.js";
import { amount, count, flag, type ScenarioOptions, type ValuesOf } from "../options.js";
import { type BenchContext, defineScenario } from "../scenario.js";
import { MemoryWatch } from "../soak/memory-watch.js";
import { RedisWatch } from "../soak/redis-watch.js";
import { type Sample, takeSample, type Watched } from "../soak/sample.js";
import { soakFigures } from "../soak/soak-figures.js";
import { SoakLoad } from "../soak/soak-load.js";
import { soakTables } from "./soak-tables.js";

const options = {
  minutes: amount("minutes of load", 60),
  warmUp: amount("minutes after which memory and keys must be flat", 10),
  seed: count("seed of the requests and their order", 1, 0),
  clients: count("clients that do one thing after another", 6),
  pause: count("mean ms between two things that a client does; less is more load", 1500, 0),
  variants: count("prompts and seeds of each kind of request", 4),
  maxTokens: count("tokens of an answer, at most", 120),
  batchLines: count("lines of the batches, one batch after another; 0 = no batches", 24, 0),
  pages: count("K/V pages to fill first, at most: a worker holds the memory of a page from its first use on", 2000, 0),
  patience: count("seconds after which a request hangs", 180),
  keep: flag("keep the data directory of a cluster that was started here, with its logs"),
} as const satisfies ScenarioOptions;

type Values = ValuesOf<typeof options>;

/** Whether anything grows that should not, under load of every kind. */
export const soak = defineScenario({
  name: "soak",
  description: "an hour of requests of every kind: whether memory, descriptors, keys and files grow",
  clusters: "local",
  examples: [
    { flags: "--spawn --out soak.json", about: "an hour on a cluster of its own" },
    { flags: "--minutes 10 --warm-up 4 --pause 300", about: "ten minutes of more load on the running cluster" },
  ],
  options,
  run: (context, values) =>
    context.withLocalCluster((cluster) => runSoak(context, cluster, values), { keeps: values.keep }),
});

async function runSoak(context: BenchContext, cluster: LocalCluster, values: Values) {
  if (cluster.redisUrl === null) throw new RhoneError("NOT_RUNNING", "The record of the cluster names no Redis.");
  const redis = await RedisWatch.open(cluster.redisUrl);
  const memory = new MemoryWatch(cluster);
  try {
    const record = await soakOf(context, { cluster, redis, memory }, values);
    const figures = soakFigures({ ...record, warmUpMinutes: values.warmUp, seed: values.seed });
    return { figures, report: soakTables(figures), fails: figures.problems.length > 0 };
  } finally {
    memory.close();
    redis.close();
  }
}

async function soakOf({ signal, note }: BenchContext, watched: Watched, values: Values) {
  const { cluster } = watched;
  const asking: Asking = { url: cluster.url, apiKey: cluster.apiKey, patienceMs: values.patience * 1000, signal };
  const known = await knownOf(cluster, asking, values);
  note(`${known.questions.length} requests have been answered; their answers are known`);
  const order = { asking, known, ...values, pauseMs: values.pause };
  await SoakLoad.fillPages(order, Math.min(values.pages, known.pages.total), known.pages.size);
  await SoakLoad.once(order);
  const startedAt = performance.now();
  const sample = (asked: number) => takeSample(watched, (performance.now() - startedAt) / 60_000, asked);
  const samples: Sample[] = [await sample(0)];
  const load = new SoakLoad(order);
  try {
    for (const minutes of sampleTimes(values.minutes)) {
      await sleep(startedAt + minutes * 60_000 - performance.now(), undefined, { signal });
      samples.push(await sample(load.asked));
      note(progressOf(samples, load));
    }
  } finally {
    await load.stop();
  }
  await sleep(AFTER_MS, undefined, { signal });
  return { samples, after: await sample(load.asked), done: load.done, mishaps: load.mishaps };
}

/** Locks of the queue and claims of keys have ended by then. */
const AFTER_MS = 15_000;

async function knownOf(cluster: LocalCluster, asking: Asking, { seed, variants, maxTokens }: Values) {
  const [status] = await cluster.status();
  if (status === undefined) throw new RhoneError("NOT_RUNNING", "The cluster has no coordinator.");
  const { name: model, vocabSize } = status.model;
  const { known } = await askKnown(questionsOf({ seed, model, vocabSize, variants, maxTokens }), asking);
  if (known.length === 0) throw new RhoneError("MEASUREMENT_VOID", "No request was answered.");
  return { model, vocabSize, questions: known, pages: status.pages };
}

/** Each minute, or ten times of a shorter run. */
function sampleTimes(minutes: number): readonly number[] {
  const times = Math.max(10, Math.floor(minutes));
  return Array.from({ length: times }, (_, index) => ((index + 1) * minutes) / times);
}

function progressOf(samples: readonly Sample[], { asked, mishaps }: SoakLoad): string {
  const last = samples.at(-1);
  const memory = Object.entries(last?.processes ?? {}).map(
    ([name, { residentBytes }]) => `${name} ${(residentBytes / 1e6).toFixed(0)}`,
  );
  const keys = Object.values(last?.redis.groups ?? {}).reduce((sum, group) => sum + group.keys, 0);
  const met = `${asked} requests and batches, ${mishaps.length} wrong`;
  return `${last?.minutes.toFixed(1)} min: ${met}; ${keys} keys; MB: ${memory.join(", ")}`;
}
