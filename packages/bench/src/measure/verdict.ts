import type { AttackFigures, ProcessMemory } from "./measure-attack.js";

/** What another client may see at most, on two cores that nobody else uses. */
const GAP_MS = 250;
const HEALTH_MS = 250;
/** After a minute memory may be this many percent above what it was. */
const MEMORY_PERCENT = 20;
const BACK_WITHIN_S = 60;

const BARS =
  `a gap of at most ${GAP_MS} ms over the usual, /health within ${HEALTH_MS} ms, no pipeline lost, ` +
  "no stream broken, no process ended";

interface Judging {
  /** Attacks that were not made. */
  readonly missing: readonly string[];
  /** Seconds that memory had to come back; with less than a minute it is not judged. */
  readonly afterS: number;
}

export interface Verdict {
  readonly exceeding: readonly { readonly attack: string; readonly excesses: readonly string[] }[];
  /** For people. */
  readonly text: string;
}

/** Which attacks exceeded which bars. */
export function verdictOf(attacks: readonly AttackFigures[], { missing, afterS }: Judging): Verdict {
  const judged = attacks.map((figures) => ({ attack: figures.attack, excesses: excessesOf(figures, afterS) }));
  const exceeding = judged.filter(({ excesses }) => excesses.length > 0);
  const count = `${exceeding.length} of ${attacks.length}`;
  const lines = [
    exceeding.length === 0
      ? `Every attack (${attacks.length}) is within the bars: ${BARS}.`
      : `Over the bars: ${count} attacks (${BARS}).`,
    ...exceeding.map(({ attack, excesses }) => `  ${attack}: ${excesses.join("; ")}`),
  ];
  if (missing.length > 0) lines.push(`Not made, because the cluster did not come back: ${missing.join(", ")}.`);
  if (afterS < BACK_WITHIN_S)
    lines.push(`Memory is not judged: it had ${afterS} s to come back; give it --after ${BACK_WITHIN_S}.`);
  return { exceeding, text: lines.join("\n") };
}

/** Which bars an attack exceeded, with its numbers; none when others were not held up. */
function excessesOf(figures: AttackFigures, afterS: number): readonly string[] {
  const { usualGapMs, gapMs, healthMs, losses, broken, memory } = figures;
  const over = gapMs - usualGapMs;
  return [
    ...(over > GAP_MS ? [`a gap of ${gapMs.toFixed(0)} ms, ${over.toFixed(0)} over the usual`] : []),
    ...(healthMs >= HEALTH_MS ? [`/health after ${healthMs.toFixed(0)} ms`] : []),
    ...((losses ?? 0) > 0 ? [`pipelines lost: ${losses}`] : []),
    ...(broken > 0 ? [`streams broken: ${broken}`] : []),
    ...memory.flatMap((each) => memoryExcess(each, afterS)),
  ];
}

function memoryExcess({ name, before, after }: ProcessMemory, afterS: number): readonly string[] {
  if (after === 0) return [`${name} ended`];
  if (afterS < BACK_WITHIN_S || after <= (1 + MEMORY_PERCENT / 100) * before) return [];
  const [was, is] = [before, after].map((bytes) => (bytes / 1e6).toFixed(0));
  return [`${name} at ${is} MB after ${afterS} s, ${was} before (at most ${MEMORY_PERCENT} % more)`];
}
