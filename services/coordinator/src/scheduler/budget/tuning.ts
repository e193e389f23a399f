/** One tuned constant. docs/scheduler.md lists the table; a test compares the two. */
export interface TunedConstant {
  readonly value: number;
  readonly unit: string;
  readonly meaning: string;
  /** The measurement or the reason behind the value. */
  readonly measured: string;
}

const BUSY_MACHINE = "8 streams beside other processes: 0.63 of llama.cpp's speed before this and its neighbours";
const DRAFT_RUNS = "not measured by itself; together 1.5 to 2.6 times the speed on repetitive texts";

/** The constants of the step-time estimator and of the decisions that follow from it. */
export const TUNED = {
  weightSlower: {
    value: 0.1,
    unit: "share",
    meaning: "weight of the latest step when it was slower than estimated; other processes only slow steps down",
    measured: BUSY_MACHINE,
  },
  weightFaster: {
    value: 0.4,
    unit: "share",
    meaning: "weight of the latest step when it was faster than estimated",
    measured: BUSY_MACHINE,
  },
  mostSlower: {
    value: 2,
    unit: "estimates",
    meaning: "the most that one step counts as; the first step of a size may have to fetch all its memory",
    measured: BUSY_MACHINE,
  },
  curiosity: {
    value: 0.85,
    unit: "of the estimate",
    meaning: "what an unexplored size is taken to cost, so that it gets tried",
    measured: BUSY_MACHINE,
  },
  curiousAfter: {
    value: 8192,
    unit: "steps",
    meaning: "a size that has not run for this many steps counts as unexplored again",
    measured: "whole runs: with 512, group counts were tried again too often",
  },
  fewerRowsCost: {
    value: 1.25,
    unit: "times",
    meaning: "fewer rows are estimated at most this much dearer than more rows",
    measured: "one timing met another process: 2 rows in 154 ms, 4 in 18; repacked Q4_0 alone: 28 and 25 ms",
  },
  regroupEvery: {
    value: 32,
    unit: "results",
    meaning: "the group count is reconsidered after this many results, and whenever a sequence is admitted",
    measured: "not measured; every 1.4 s at 43 ms a step",
  },
  regroupGain: {
    value: 0.985,
    unit: "of the cycle",
    meaning: "another group count must have a cycle below this; a sequence that changes its group misses a turn",
    measured: "raised from 0.97 over whole runs on a busy machine",
  },
  regroupToStages: {
    value: 1.01,
    unit: "of the cycle",
    meaning: "one group per stage need only be as good; stages that work together even out each other's delays",
    measured: "4 simulated stages ran as one group at 1.005",
  },
  itlStretch: {
    value: 0.6,
    unit: "of a step",
    meaning: "with a target of auto, how much longer a step may take for one prompt",
    measured: "with jitter, the gap between two tokens stays below twice its length",
  },
  burstStretch: {
    value: 12,
    unit: "of a step",
    meaning: "the same for prompts that arrived before any running stream had its first token",
    measured: "8 prompts of 64 tokens: 0.79 of llama.cpp's prefill speed, 0.66 at 4; 1.04 without a limit",
  },
  mostChunks: {
    value: 16,
    unit: "chunks",
    meaning: "the most chunks that prompts are cut into so that they follow each other through the stages",
    measured: "not measured; it bounds the search",
  },
  leastChunkRows: {
    value: 16,
    unit: "rows",
    meaning: "the shortest of these chunks",
    measured: "repacked Q4_0 on 2 threads: 4.4 ms a row at 16 and at 32 rows, 6.1 at 8",
  },
  fewRows: {
    value: 8,
    unit: "rows",
    meaning: "when no prompt row fits the target, the cheapest number of rows up to this is taken",
    measured: "repacked Q4_0: 15, 28, 26, 25 ms for 1 to 4 rows; three prompt rows beside one cost less than one",
  },
  mostScored: {
    value: 64,
    unit: "rows",
    meaning: "the most prompt rows whose tokens a step scores; the last stage reads and ranks a row of logits for each",
    measured: "20 alternatives: 0.2 ms a row with 32,000 tokens, 0.9 with 131,072; 512 rows took 0.1 and 0.5 s",
  },
  mostOpenedBytes: {
    value: 2 * 2 ** 20,
    unit: "bytes",
    meaning: "biases, grammars and counted tokens of the sequences that a step opens; one alone may have more",
    measured: "64 MiB, 64 times 131,072 biases, took the coordinator 0.6 to 0.9 s to write, 8 MiB 28 to 67 ms",
  },
  draftGain: {
    value: 1.05,
    unit: "times",
    meaning: "drafts must raise the expected tokens per millisecond by this factor",
    measured: DRAFT_RUNS,
  },
  mostDrafting: {
    value: 16,
    unit: "sequences",
    meaning: "micro-batches of more sequences carry no drafts; their stages have enough rows",
    measured: DRAFT_RUNS,
  },
  draftWeight: {
    value: 0.2,
    unit: "share",
    meaning: "weight of the latest span in a sequence's share of right drafts",
    measured: DRAFT_RUNS,
  },
  draftAcceptance: {
    value: 0.5,
    unit: "share",
    meaning: "the share of right drafts that a new sequence is credited with",
    measured: DRAFT_RUNS,
  },
  draftFading: {
    value: 0.02,
    unit: "share",
    meaning: "how far the share returns to draftAcceptance with each step in which no draft is used",
    measured: DRAFT_RUNS,
  },
} as const satisfies Record<string, TunedConstant>;

/** The values of the table by name. */
export const TUNING = Object.fromEntries(Object.entries(TUNED).map(([name, { value }]) => [name, value])) as {
  readonly [Name in keyof typeof TUNED]: number;
};
