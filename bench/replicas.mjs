// What replicas of one model gain: clusters of simulated stages whose replicas are processes of their own, on this
// machine. Usage: replicas.mjs [--part speed|join|talk] [--replicas 8] [--sequences 16] [--turns 3]. Needs a machine
// that nobody else uses.
//
// speed: tokens/s of as many requests at once as all replicas have sequences, on 1, 2 and all of them; how soon all are
//        taken, and the scripts of Redis that run meanwhile, gateways' and heartbeats included.
// join:  how soon a replica that joins under load has work.
// talk:  16 conversations of 6 turns on 1 replica and on 4, of which one is then killed: tokens that were cached, and
//        the longest queue in proportion to the mean.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { loadsKey, openRedis, simulatedTokens, statusKey } from "../packages/common/dist/index.js";
import { BREEZE, median, Services } from "./services.mjs";

const OPTIONS = { part: "", replicas: "8", sequences: "16", turns: "3" };
const { values } = parseArgs({
  options: Object.fromEntries(
    Object.entries(OPTIONS).map(([name, value]) => [name, { type: "string", default: value }]),
  ),
});
const [mostReplicas, mostSequences, turns] = ["replicas", "sequences", "turns"].map((name) => Number(values[name]));

/** One model, served by replicas with one simulated stage each. */
class Replicas {
  #services = new Services();
  #replicas = [];
  #served = ["--model-path", BREEZE, "--model-name", "breeze", "--port", "0"];
  #redis;
  #env;
  #url;

  /** `simulate`: how long a stage's steps take. */
  constructor({ simulate, sequences }) {
    this.simulate = simulate;
    this.sizes = ["--max-sequences", String(sequences), "--sliding-window", "0"];
  }

  /** Starts a cluster of one. */
  async open() {
    const services = this.#services;
    const found = await services.redis();
    this.#env = { ...found, RHONE_CLUSTER_SECRET_FILE: services.secretFile };
    const files = { redisPasswordFile: found.RHONE_REDIS_PASSWORD_FILE };
    this.#redis = await openRedis({ url: found.REDIS_URL, files, name: "bench", waits: true, onError: () => {} });
    await this.addUpTo(1);
    const storage = ["--storage", join(services.folder, "storage")];
    const { http } = await services.start("gateway", [...this.#served, ...storage], this.#env);
    this.#url = await services.ready(`http://${http}`);
  }

  /** Until `count` replicas take jobs. */
  async addUpTo(count) {
    while (this.#replicas.length < count) {
      const own = ["--ops-port", "0", "--workers", "1", "--simulated", "true", "--job-lock", "2"];
      const flags = [...this.#served, ...this.sizes, ...own];
      const coordinator = await this.#services.start("coordinator", flags, this.#env);
      const simulated = ["--simulate", this.simulate, "--threads", "1", "--memory", "1000000000"];
      const joining = ["--coordinator", coordinator.grpc, "--port", "0", ...simulated];
      const worker = await this.#services.start("shard-worker", joining, this.#env);
      this.#replicas.push({ coordinator, worker });
      while (Object.keys(await this.held()).length < this.#replicas.length) await sleep(5);
    }
  }

  /** As kill -9 of the replica that was added last. */
  async killLast() {
    const { coordinator, worker } = this.#replicas.pop();
    await Promise.all([coordinator.kill(), worker.kill()]);
  }

  /** Jobs that each coordinator holds at this moment, by its id. */
  async held() {
    const loads = await this.#redis.hgetall(loadsKey("breeze"));
    return Object.fromEntries(Object.entries(loads).map(([id, load]) => [id, Number(load.split(" ")[0])]));
  }

  async vocabulary() {
    const [id] = Object.keys(await this.held());
    return JSON.parse(await this.#redis.get(statusKey(id))).model.vocabSize;
  }

  /** Scripts that Redis has run. */
  async scripts() {
    const calls = (await this.#redis.info("commandstats")).matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g);
    return sum([...calls].map(([, count]) => Number(count)));
  }

  async ask(body) {
    const headers = { "content-type": "application/json" };
    const text = JSON.stringify({ temperature: 0, ignore_eos: true, ...body });
    const response = await fetch(`${this.#url}/v1/completions`, { method: "POST", headers, body: text });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  }

  async stop() {
    this.#redis?.disconnect();
    await this.#services.stop();
  }
}

const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);

let prompts = 0;
/** No two have a beginning in common. */
function prompt() {
  prompts++;
  return Array.from({ length: 16 }, (_, index) => 300 + ((prompts * 7919 + index * 31) % 700));
}

async function measureSpeed() {
  const tokens = 40;
  // Steps of 200 ms: 16 sequences of one replica get 80 tokens/s, which leaves the processor idle.
  const cluster = new Replicas({ simulate: "stage-ms=200", sequences: mostSequences });
  /** Of requests at once: tokens/s of all, milliseconds until all are taken, and scripts of each until then. */
  const measure = async (requests) => {
    const [scripts, startedAt] = [await cluster.scripts(), performance.now()];
    const answers = Array.from({ length: requests }, () => cluster.ask({ prompt: prompt(), max_tokens: tokens }));
    while (sum(Object.values(await cluster.held())) < requests) await sleep(5);
    const takenMs = performance.now() - startedAt;
    const each = ((await cluster.scripts()) - scripts) / requests;
    await Promise.all(answers);
    return { rate: (1000 * requests * tokens) / (performance.now() - startedAt), takenMs, each };
  };
  try {
    await cluster.open();
    await measure(2); // warm
    let alone;
    for (const count of [1, 2, mostReplicas]) {
      await cluster.addUpTo(count);
      const results = [];
      for (let turn = 0; turn < turns; turn++) results.push(await measure(count * mostSequences));
      const of = (figure) => median(results.map((result) => result[figure]));
      alone ??= of("rate");
      const rates = results.map(({ rate }) => rate.toFixed(1)).join(", ");
      console.log(`${count} replicas, ${count * mostSequences} requests at once: ${rates} tokens/s`);
      const [ratio, takenMs, each] = [(of("rate") / alone).toFixed(2), of("takenMs").toFixed(0), of("each").toFixed(1)];
      console.log(`  median ${ratio} of one replica's; all taken after ${takenMs} ms, ${each} scripts for each`);
    }
  } finally {
    await cluster.stop();
  }
}

async function measureJoin() {
  const cluster = new Replicas({ simulate: "stage-ms=200", sequences: mostSequences });
  try {
    await cluster.open();
    const requests = Array.from({ length: 3 * mostSequences }, () => cluster.ask({ prompt: prompt(), max_tokens: 60 }));
    while (Object.values(await cluster.held())[0] < 3 * mostSequences) await sleep(20);
    const startedAt = performance.now();
    await cluster.addUpTo(2);
    const ready = performance.now() - startedAt;
    while (Object.values(await cluster.held()).some((held) => held === 0)) await sleep(5);
    const first = performance.now() - startedAt;
    console.log(`a replica that joins: ready after ${ready.toFixed(0)} ms, jobs after ${first.toFixed(0)} ms`);
    await Promise.all(requests);
  } finally {
    await cluster.stop();
  }
}

const [CONVERSATIONS, TURNS, ANSWER, TALKING] = [16, 6, 16, 4];
/** Tokens that all conversations begin with, with the first message, and of each later message. */
const [SYSTEM, FIRST, MESSAGE] = [128, 256, 32];

async function measureTalk() {
  // A prompt of 100 tokens takes as long as 10 steps of a text that runs alone.
  const cluster = new Replicas({ simulate: "stage-ms=50,row-us=5000", sequences: 8 });
  let vocabulary = 0;
  const message = (conversation, turn, length) => {
    const seed = conversation * 7919 + turn * 104_729;
    return Array.from({ length }, (_, index) => 300 + ((seed + index * 31) % (vocabulary - 300)));
  };

  /** All conversations at once, each turn after the answer to the one before. */
  const talk = async (salt, atHalf = async () => {}) => {
    let [cached, answered, isOver] = [0, 0, false];
    const queues = new Map();
    const watch = async () => {
      for (; !isOver; await sleep(20))
        for (const [id, held] of Object.entries(await cluster.held())) queues.set(id, (queues.get(id) ?? 0) + held);
    };
    const converse = async (conversation) => {
      let text = [...message(CONVERSATIONS, 0, SYSTEM), ...message(conversation, 0, FIRST - SYSTEM)];
      for (let turn = 1; turn <= TURNS; turn++) {
        const { usage } = await cluster.ask({ prompt: text, max_tokens: ANSWER, cache_salt: salt });
        cached += usage.prompt_tokens_details.cached_tokens;
        if (++answered === (CONVERSATIONS * TURNS) / 2) {
          await atHalf();
          queues.clear();
        }
        text = [...text, ...simulatedTokens(text, ANSWER, vocabulary), ...message(conversation, turn, MESSAGE)];
      }
    };
    const watched = watch();
    await Promise.all(Array.from({ length: CONVERSATIONS }, (_, conversation) => converse(conversation)));
    isOver = true;
    await watched;
    const living = Object.keys(await cluster.held()).map((id) => queues.get(id) ?? 0);
    return { cached, longest: (Math.max(...living) * living.length) / sum(living) };
  };

  try {
    await cluster.open();
    vocabulary = await cluster.vocabulary();
    const alone = await talk("alone");
    await cluster.addUpTo(TALKING);
    const figures = [
      [`${TALKING} replicas`, await talk("all")],
      ["one of them killed at half", await talk("killed", () => cluster.killLast())],
    ];
    for (const [name, { cached, longest }] of figures) {
      const share = ((100 * cached) / alone.cached).toFixed(1);
      console.log(`${name}: ${share} % of one replica's cached tokens, longest queue / mean ${longest.toFixed(2)}`);
    }
    console.log(`random choice: ${((100 * cachedAtRandom()) / alone.cached).toFixed(1)} %`);
  } finally {
    await cluster.stop();
  }
}

/** What is cached when each turn goes to any of the replicas, as the mean of many tries. */
function cachedAtRandom() {
  const length = (turn) => FIRST + turn * (ANSWER + MESSAGE);
  const tries = 1000 * CONVERSATIONS;
  let cached = 0;
  for (let at = 0; at < tries; at++) {
    const last = new Map();
    for (let turn = 0; turn < TURNS; turn++) {
      const replica = Math.floor(Math.random() * TALKING);
      cached += last.has(replica) ? length(last.get(replica)) + ANSWER - 1 : SYSTEM;
      last.set(replica, turn);
    }
  }
  return (cached * CONVERSATIONS) / tries;
}

const PARTS = { speed: measureSpeed, join: measureJoin, talk: measureTalk };
for (const [name, measure] of Object.entries(PARTS)) if (["", name].includes(values.part)) await measure();
