import { ATTACKS } from "../attacks/all.js";
import type { Attack } from "../attacks/attack.js";
import type { BenchTarget } from "../measure/bench-target.js";
import { type AttackFigures, measureAttack, type ProcessMemory } from "../measure/measure-attack.js";
import { verdictOf } from "../measure/verdict.js";
import { watchTarget } from "../measure/watch-target.js";
import { count, type ScenarioOptions, type ValuesOf } from "../options.js";
import type { Table } from "../report/tables.js";
import { defineScenario } from "../scenario.js";

/** A stream without a chunk for this long is a cluster that has not come back. */
const DOWN_MS = 10_000;

const options = {
  attack: {
    kind: "choice",
    about: "the attack to make; quick = those that the tests make",
    choices: ["all", "quick", ...ATTACKS.map(({ name }) => name)],
    initial: "all",
  },
  pages: count("K/V pages to fill first; in a cluster in service they are full", 0, 0),
  usual: count("ms to watch the stream before each attack", 2000),
  patience: count("seconds after which the sender of an attack hangs up", 30),
  after: count("seconds after an attack within which memory must be back", 60),
} as const satisfies ScenarioOptions;

/** What costly requests of one client do to the others. */
export const heldUp = defineScenario({
  name: "held-up",
  description:
    "costly requests, one kind after another: the gap of another stream, /health, memory, what the sender gets",
  examples: [
    { flags: "", about: "every attack on the running cluster" },
    { flags: "--attack quick --spawn", about: "the tests' attacks on a cluster of its own; fails above the bar" },
  ],
  options,
  run: async (context, values) => {
    const attacks = attacksOf(values.attack);
    const figures: AttackFigures[] = [];
    while (figures.length < attacks.length) {
      const rest = attacks.slice(figures.length);
      await context.withCluster(async (target) => {
        for await (const each of attackAll(target, rest, values)) {
          figures.push(each);
          // The table at the end has the rows again.
          if (context.isWatched) context.note(rowOf(each).join(" | "));
        }
      });
      // A cluster that was started here is replaced when an attack took it down.
      if (figures.length < attacks.length && !context.spawns) break;
    }
    const missing = attacks.slice(figures.length).map(({ name }) => name);
    const { exceeding, text } = verdictOf(figures, { missing, afterS: values.after });
    return {
      figures: { attacks: figures, exceeding, missing },
      report: [tableOf(figures), text],
      fails: exceeding.length > 0 || missing.length > 0,
    };
  },
});

const attacksOf = (asked: string): readonly Attack[] =>
  ATTACKS.filter(({ name, isQuick }) => asked === "all" || asked === name || (asked === "quick" && isQuick === true));

/** Ends early when the cluster does not come back after an attack. */
async function* attackAll(
  target: BenchTarget,
  attacks: readonly Attack[],
  { pages, usual, patience, after }: ValuesOf<typeof options>,
): AsyncGenerator<AttackFigures> {
  const watcher = await watchTarget(target, pages);
  const pace = { usualMs: usual, patienceMs: patience * 1000, afterMs: after * 1000 };
  try {
    for (const attack of attacks) {
      const figures = await measureAttack({ target, watcher }, attack, pace);
      yield figures;
      const { gapMs, beginMs } = await watcher.take();
      if (figures.memory.some(({ after: bytes }) => bytes === 0) || Math.max(gapMs, beginMs) > DOWN_MS) return;
    }
  } finally {
    await watcher.close();
  }
}

function tableOf(figures: readonly AttackFigures[]): Table {
  const heading = [
    "ATTACK",
    "GAP usual",
    "during ms",
    "BEGIN ms",
    "HEALTH ms",
    "LOST",
    "BROKEN",
    "MEMORY MB before/most/after",
    "ANSWERS",
  ];
  return { heading, rows: figures.map(rowOf) };
}

function rowOf({
  attack,
  usualGapMs,
  gapMs,
  beginMs,
  healthMs,
  losses,
  broken,
  memory,
  seconds,
  replies,
}: AttackFigures): string[] {
  const answers = Object.entries(replies).map(([answer, times]) => (times === 1 ? answer : `${answer} ×${times}`));
  return [
    attack,
    usualGapMs.toFixed(0),
    gapMs.toFixed(0),
    beginMs === 0 ? "–" : beginMs.toFixed(0),
    healthMs.toFixed(0),
    String(losses ?? "?"),
    String(broken),
    memory.filter(grew).map(memoryCell).join(", ") || "as before",
    `${answers.join(", ")} in ${seconds.toFixed(1)} s`,
  ];
}

/** Processes that held a fifth more than before. */
const grew = ({ before, most, after }: ProcessMemory): boolean => Math.max(most, after) > 1.2 * before || after === 0;

const memoryCell = ({ name, ...bytes }: ProcessMemory): string =>
  `${name} ${[bytes.before, bytes.most, bytes.after].map((each) => (each / 1e6).toFixed(0)).join("/")}`;
