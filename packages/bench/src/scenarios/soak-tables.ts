import type { Table } from "../report/tables.js";
import type { Growth } from "../soak/growth.js";
import type { SoakFigures } from "../soak/soak-figures.js";

/** What was held at 1, 10, 30 and 60 minutes, how it grew, what was asked, and the verdict. */
export function soakTables(figures: SoakFigures): readonly (Table | string)[] {
  const until = figures.samples.at(-1)?.minutes ?? 0;
  const times = [...SHOWN.filter((minutes) => minutes < until - 0.1), until];
  const heading = ["", ...times.map((minutes) => `${Number(minutes.toFixed(1))} min`), "PER HOUR", "FROM", "VERDICT"];
  const rows = figures.growths.map((growth) => rowOf(growth, times));
  return [
    { heading, rows },
    [askedLine(figures), ...restartLines(figures), keysLine(figures)].join("\n"),
    verdict(figures),
  ];
}

const SHOWN = [1, 10, 30, 60];

function rowOf({ name, unit, points, perHour, fromMinutes, share, isFlat }: Growth, times: readonly number[]) {
  const cell = (value: number): string => (unit === "bytes" ? `${(value / 1e6).toFixed(1)} MB` : value.toFixed(0));
  const at = (minutes: number): string => {
    const near = points.findLast((point) => point.minutes <= minutes + 0.1);
    return near === undefined ? "–" : cell(near.value);
  };
  const judged = isFlat ? "flat" : `GROWS ${(100 * share).toFixed(0)} %`;
  const verdictCell = isFlat === null ? "not judged" : judged;
  const from = fromMinutes === null ? "–" : `${Number(fromMinutes.toFixed(1))} min`;
  return [name, ...times.map(at), cell(perHour), from, verdictCell];
}

function askedLine({ done, mishaps, cores }: SoakFigures): string {
  const tasks = Object.entries(done)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([task, times]) => `${times} ${task}`);
  return `asked: ${tasks.join(", ")}; ${mishaps.length} went wrong; ${cores.toFixed(2)} cores`;
}

const restartLines = ({ restarts }: SoakFigures): readonly string[] =>
  Object.entries(restarts).map(([name, times]) => `${name} was started again ${times} times`);

function keysLine({ after, leftKeys }: SoakFigures): string {
  const groups = Object.entries(after.redis.groups).map(([name, { keys, lasting, longestTtlS }]) => {
    const ends = keys > lasting ? `, ${keys - lasting} for at most ${longestTtlS} s` : "";
    return `${name} ${keys}${ends}`;
  });
  const left = Object.keys(leftKeys).length === 0 ? "none more than before without a time to live" : "see below";
  return `keys after the load: ${groups.join("; ")} (${left})`;
}

/** Mishaps in full: this is what somebody has to find the cause of. */
function verdict({ problems, mishaps, seed }: SoakFigures): string {
  if (problems.length === 0) return "Nothing grows, every answer was right, and nothing is left.";
  const shown = mishaps.slice(0, MOST_SHOWN).map(({ task, atMs, why }) => `  ${task} at ${atMs} ms: ${why}`);
  return [`FAILED (--seed ${seed}): ${problems.join("; ")}.`, ...shown].join("\n");
}

const MOST_SHOWN = 20;
