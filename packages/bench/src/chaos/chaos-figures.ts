import { percentilesOf } from "../figures/percentiles.js";
import type { BatchStory } from "./asked-batch.js";
import type { BatchJudgement } from "./batch-judge.js";
import { faultBefore, type GapSample, gapSamples, type StruckFault } from "./gaps.js";
import type { Difference } from "./judge.js";
import type { JudgedStream } from "./load.js";
import type { Question } from "./questions.js";

/** How long streams waited for one kind of fault. Milliseconds. */
export interface FaultFigures {
  /** "kill worker". */
  readonly name: string;
  readonly times: number;
  /** The longest gap of each stream that it met while no other fault did anything; null without one. */
  readonly gapMs: { readonly p50: number; readonly p95: number; readonly max: number } | null;
  /** All of them. */
  readonly gapsMs: readonly number[];
  readonly streams: number;
  /** Beside other faults. */
  readonly othersStreams: number;
  readonly othersMaxMs: number | null;
}

export interface LongGap {
  /** "sampled 2". */
  readonly question: string;
  readonly ms: number;
  readonly fromMs: number;
  /** "12: kill worker worker-2": the one for which it counts. */
  readonly fault: string;
  readonly alone: boolean;
}

/** A stream that went wrong, with what it takes to ask for it again. */
export interface WrongStream {
  /** "sampled 2". */
  readonly question: string;
  readonly seed: unknown;
  readonly what: "lost" | "doubled" | "wrong" | "failed" | "hung";
  readonly why: string;
  readonly difference: Difference | null;
  /** The last fault before it was sent, and those until its end: "12: kill worker worker-2". */
  readonly faults: readonly string[];
  /** Milliseconds from the first fault on. */
  readonly sentMs: number;
  readonly endedMs: number;
  readonly breaks: number;
}

export interface ChaosFigures {
  /** Of each run. */
  readonly seeds: readonly number[];
  readonly faults: readonly FaultFigures[];
  /** Each fault, with milliseconds from the first one on. */
  readonly struck: readonly (Pick<StruckFault, "number" | "name" | "target"> & { readonly atMs: number })[];
  /** By name: why a kind of fault, or of request, was left out. */
  readonly skipped: Readonly<Record<string, string>>;
  /** The longest gaps of all, the longest first; milliseconds from the first fault on. */
  readonly longest: readonly LongGap[];
  /** Why the faults ended before all were made; null when all were. */
  readonly endedBy: string | null;
  /** Whole and right ones, too. By kind of question. */
  readonly streams: Readonly<Record<string, number>>;
  readonly tokens: number;
  readonly breaks: number;
  readonly refusals: number;
  readonly wrong: readonly WrongStream[];
  readonly tokensLost: number;
  readonly tokensDoubled: number;
  readonly batches: number;
  readonly lines: Readonly<Record<"asked" | "lost" | "doubled" | "failed" | "wrong", number>>;
  /** Of batches whose lines are not all right. */
  readonly badBatches: readonly (Omit<BatchJudgement, "lines"> | { readonly why: string })[];
  readonly epochs: { readonly seen: number; readonly last: readonly number[] };
  readonly seconds: number;
}

export interface ChaosRecord extends Pick<ChaosFigures, "skipped" | "endedBy" | "epochs" | "seconds"> {
  readonly seed: number;
  readonly streams: readonly JudgedStream[];
  readonly batches: readonly BatchStory[];
  /** In the order of their times. */
  readonly struck: readonly StruckFault[];
}

export const MOST_LONGEST = 30;

export function figuresOf({ seed, streams, batches, struck, ...facts }: ChaosRecord): ChaosFigures {
  const samples = gapSamples(
    streams.map(({ story }) => story),
    struck,
  );
  const wrong = streams.flatMap((stream) => wrongOf(stream, struck) ?? []);
  const tokens = wrong.flatMap(({ difference }) => (difference?.field === "tokens" ? [difference] : []));
  const pieces = (what: "lost" | "doubled"): number =>
    tokens.reduce((sum, difference) => sum + (difference.what === what ? difference.count : 0), 0);
  const begun = struck[0]?.at ?? 0;
  return {
    ...facts,
    seeds: [seed],
    struck: struck.map(({ at, until: _, ...fault }) => ({ ...fault, atMs: Math.round(at - begun) })),
    faults: [...new Set(struck.map(({ name }) => name))].sort().map((name) => ofFault(name, struck, samples)),
    longest: samples
      .toSorted((a, b) => b.ms - a.ms)
      .slice(0, MOST_LONGEST)
      .map(({ fault, stream, ms, from, alone }) => {
        const question = nameOf(streams[stream]?.question);
        return { question, ms: Math.round(ms), fromMs: Math.round(from - begun), fault: nameOfFault(fault), alone };
      }),
    streams: countsOf(streams.map(({ question }) => question.kind)),
    tokens: streams.reduce((sum, { story }) => sum + story.end.answer.ids.length, 0),
    breaks: streams.reduce((sum, { story }) => sum + story.breaks, 0),
    refusals: streams.reduce((sum, { story }) => sum + story.refusals, 0),
    wrong,
    tokensLost: pieces("lost"),
    tokensDoubled: pieces("doubled"),
    batches: batches.length,
    lines: linesOf(batches),
    badBatches: batches.flatMap(badBatchOf),
  };
}

/** Why the command fails, one line each; none when nothing was lost. */
export function failuresOf({ wrong, lines, badBatches, endedBy }: ChaosFigures): readonly string[] {
  const count = (what: WrongStream["what"]): number => wrong.filter((stream) => stream.what === what).length;
  const streams = (["lost", "doubled", "wrong", "failed", "hung"] as const).flatMap((what) =>
    count(what) === 0 ? [] : [`${count(what)} streams ${STREAM_WORDS[what]}`],
  );
  const ofLines = (["lost", "doubled", "failed", "wrong"] as const).flatMap((what) =>
    lines[what] === 0 ? [] : [`${lines[what]} lines of batches ${LINE_WORDS[what]}`],
  );
  const batches = badBatches.flatMap((bad) => ("why" in bad ? [`a batch did not end: ${bad.why}`] : []));
  return [...streams, ...ofLines, ...batches, ...(endedBy === null ? [] : [endedBy])];
}

const STREAM_WORDS = {
  lost: "lost something",
  doubled: "have something twice",
  wrong: "are wrong",
  failed: "failed",
  hung: "hung",
} as const;

const LINE_WORDS = { lost: "are lost", doubled: "are there twice", failed: "failed", wrong: "are wrong" } as const;

function ofFault(name: string, struck: readonly StruckFault[], samples: readonly GapSample[]): FaultFigures {
  const own = samples.filter(({ fault }) => fault.name === name);
  const beside = own.filter(({ alone }) => !alone).map(({ ms }) => ms);
  return faultFigures({
    name,
    times: struck.filter((fault) => fault.name === name).length,
    gapsMs: own.filter(({ alone }) => alone).map(({ ms }) => Math.round(ms)),
    othersStreams: beside.length,
    othersMaxMs: beside.length === 0 ? null : Math.max(...beside),
  });
}

/** With percentiles. */
export function faultFigures(counted: Omit<FaultFigures, "gapMs" | "streams">): FaultFigures {
  const { gapsMs } = counted;
  const { p50, p95 } = percentilesOf(gapsMs);
  const gapMs = gapsMs.length === 0 ? null : { p50, p95, max: Math.max(...gapsMs) };
  return { ...counted, gapMs, streams: gapsMs.length };
}

function wrongOf({ question, story, difference }: JudgedStream, struck: readonly StruckFault[]): WrongStream | null {
  const { end, sentAt, endedAt, breaks } = story;
  if (end.kind === "whole" && difference === null) return null;
  const begun = struck[0]?.at ?? 0;
  const met = struck.filter(
    (fault) => (fault.at >= sentAt && fault.at <= endedAt) || fault === faultBefore(struck, sentAt),
  );
  return {
    question: nameOf(question),
    seed: question.body.seed,
    what: end.kind === "whole" ? (difference?.what ?? "wrong") : end.kind,
    why: end.kind === "whole" ? describe(difference) : end.why,
    difference,
    faults: met.map(nameOfFault),
    sentMs: Math.round(sentAt - begun),
    endedMs: Math.round(endedAt - begun),
    breaks,
  };
}

const nameOfFault = ({ number, name, target }: StruckFault): string => `${number}: ${name} ${target}`;

const nameOf = (question: Question | undefined): string =>
  question === undefined ? "" : `${question.kind} ${question.variant}`;

function describe(difference: Difference | null): string {
  if (difference === null) return "";
  const { what, field, at, count, expected, got } = difference;
  const pieces = what === "wrong" ? "" : ` ${count}`;
  return `${field}: ${what}${pieces} at ${at}; expected "${expected}", got "${got}"`;
}

function linesOf(batches: readonly BatchStory[]): ChaosFigures["lines"] {
  const judged = batches.flatMap((story) => (story.kind === "judged" ? [story.judgement] : []));
  const sum = (key: "lost" | "doubled" | "failed" | "wrong"): number =>
    judged.reduce((total, judgement) => total + judgement[key].length, 0);
  const asked = batches.reduce(
    (total, story) => total + (story.kind === "judged" ? story.judgement.lines : story.lines),
    0,
  );
  return { asked, lost: sum("lost"), doubled: sum("doubled"), failed: sum("failed"), wrong: sum("wrong") };
}

function badBatchOf(story: BatchStory): ChaosFigures["badBatches"] {
  if (story.kind !== "judged") return [{ why: `${story.kind} after ${story.seconds.toFixed(0)} s: ${story.why}` }];
  const { lines: _, ...rest } = story.judgement;
  return Object.values(rest).every(({ length }) => length === 0) ? [] : [rest];
}

function countsOf(names: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
