import { setTimeout as sleep } from "node:timers/promises";
import { simulatedTokens } from "@rhone/common";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SimulatedReplicas } from "../cluster/simulated-replicas.js";

const CONVERSATIONS = 16;
const TURNS = 6;
const ANSWER = 16;
/** Tokens that all conversations begin with, with the first message, and of each later message. */
const SYSTEM = 128;
const FIRST = 256;
const MESSAGE = 32;
const REPLICAS = 4;
/** A step takes 5 ms and 2 ms for each row: a prompt of 100 tokens as long as 29 steps of a text that runs alone. */
const SIMULATE = "stage-ms=5,row-us=2000";

let replicas: SimulatedReplicas;
let vocabulary: number;
beforeAll(async () => {
  replicas = await SimulatedReplicas.start({ simulate: SIMULATE, sequences: 8 });
  vocabulary = (await replicas.cluster.status()).model.vocabSize;
});
afterAll(() => replicas?.stop());

interface Completion {
  readonly usage: { readonly prompt_tokens_details: { readonly cached_tokens: number } };
}

/** Tokens of one conversation alone. */
const message = (conversation: number, turn: number, length: number): number[] =>
  Array.from({ length }, (_, index) => 300 + ((conversation * 7919 + turn * 104_729 + index * 31) % (vocabulary - 300)));

interface Talk {
  /** Prompt tokens that were cached, of all turns. */
  readonly cached: number;
  /** Mean number of jobs that each coordinator held, of those that are there at the end. */
  readonly queues: readonly number[];
}

/** All conversations at once, each turn after the answer to the one before. `atHalf` is called when half are answered. */
async function talk(salt: string, atHalf: () => Promise<void> = async () => {}): Promise<Talk> {
  let [cached, answered, isOver] = [0, 0, false];
  const sums = new Map<string, { sum: number; count: number }>();
  const sample = async (): Promise<void> => {
    for (; !isOver; await sleep(20))
      for (const [id, held] of Object.entries(await replicas.held())) {
        const { sum, count } = sums.get(id) ?? { sum: 0, count: 0 };
        sums.set(id, { sum: sum + held, count: count + 1 });
      }
  };
  const converse = async (conversation: number): Promise<void> => {
    let prompt = [...message(CONVERSATIONS, 0, SYSTEM), ...message(conversation, 0, FIRST - SYSTEM)];
    for (let turn = 1; turn <= TURNS; turn++) {
      const body = { prompt, max_tokens: ANSWER, temperature: 0, ignore_eos: true, cache_salt: salt };
      const { usage } = await replicas.cluster.ask<Completion>("/v1/completions", body);
      cached += usage.prompt_tokens_details.cached_tokens;
      if (++answered === (CONVERSATIONS * TURNS) / 2) {
        await atHalf();
        sums.clear();
      }
      prompt = [...prompt, ...simulatedTokens(prompt, ANSWER, vocabulary), ...message(conversation, turn, MESSAGE)];
    }
  };
  const sampled = sample();
  await Promise.all(Array.from({ length: CONVERSATIONS }, (_, conversation) => converse(conversation)));
  isOver = true;
  await sampled;
  const living = Object.keys(await replicas.held());
  return { cached, queues: living.map((id) => (sums.get(id)?.sum ?? 0) / (sums.get(id)?.count ?? 1)) };
}

/** The longest queue, in proportion to the mean. */
const unevenness = ({ queues }: Talk): number =>
  (Math.max(...queues) * queues.length) / queues.reduce((sum, queue) => sum + queue, 0);

/** What is cached when each turn goes to any of the replicas, as the mean of many tries. */
function cachedAtRandom(): number {
  const length = (turn: number): number => FIRST + turn * (ANSWER + MESSAGE);
  let sum = 0;
  const tries = 1000 * CONVERSATIONS;
  for (let at = 0; at < tries; at++) {
    const last = new Map<number, number>();
    for (let turn = 0; turn < TURNS; turn++) {
      const replica = Math.floor(Math.random() * REPLICAS);
      const known = last.get(replica);
      sum += known === undefined ? SYSTEM : length(known) + ANSWER - 1;
      last.set(replica, turn);
    }
  }
  return (sum * CONVERSATIONS) / tries;
}

test("conversations stay where their prompts are cached, also when a replica is killed", { timeout: 180_000 }, async () => {
  const alone = await talk("alone");
  await replicas.addUpTo(REPLICAS);
  const four = await talk("four");
  const killed = await talk("killed", () => replicas.replicas.at(-1)?.kill() ?? Promise.resolve());
  const random = cachedAtRandom();
  const figures = { alone: alone.cached, four: four.cached, killed: killed.cached, random: Math.round(random) };
  console.info(figures, { four: unevenness(four), killed: unevenness(killed) }, four.queues, killed.queues);
  expect(four.cached).toBeGreaterThanOrEqual(0.95 * alone.cached);
  expect(four.cached).toBeGreaterThan(1.3 * random);
  expect(unevenness(four)).toBeLessThanOrEqual(1.3);
  expect(killed.cached).toBeGreaterThanOrEqual(0.95 * alone.cached);
  expect(unevenness(killed)).toBeLessThanOrEqual(1.3);
});
