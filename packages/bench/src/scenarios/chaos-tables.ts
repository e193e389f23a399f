import { type ChaosFigures, type FaultFigures, failuresOf } from "../chaos/chaos-figures.js";
import type { Table } from "../report/tables.js";

/** The gaps by kind of fault, what was asked, and the verdict. */
export function chaosTables(figures: ChaosFigures): readonly (Table | string)[] {
  const heading = ["FAULT", "TIMES", "STREAMS", "GAP p50", "p95", "max ms", "BESIDE OTHERS", "max ms"];
  const facts = [askedLine(figures), linesLine(figures), epochsLine(figures), ...skippedLines(figures)];
  return [{ heading, rows: figures.faults.map(rowOf) }, facts.join("\n"), verdictText(figures)];
}

function rowOf({ name, times, gapMs, streams, othersStreams, othersMaxMs }: FaultFigures): readonly string[] {
  const gaps = gapMs === null ? ["–", "–", "–"] : [gapMs.p50, gapMs.p95, gapMs.max].map((ms) => ms.toFixed(0));
  return [name, String(times), String(streams), ...gaps, String(othersStreams), othersMaxMs?.toFixed(0) ?? "–"];
}

function askedLine({ streams, tokens, breaks, refusals, seconds }: ChaosFigures): string {
  const kinds = Object.entries(streams).map(([kind, count]) => `${count} ${kind}`);
  const met = `connections broken or not made ${breaks} times, requests refused ${refusals} times`;
  return `streams: ${kinds.join(", ")}; ${tokens} tokens in ${seconds.toFixed(0)} s; ${met}`;
}

function linesLine({ batches, lines }: ChaosFigures): string {
  const { asked, lost, doubled, failed, wrong } = lines;
  return `batches: ${batches} of ${asked} lines; lost ${lost}, twice ${doubled}, failed ${failed}, wrong ${wrong}`;
}

const epochsLine = ({ epochs: { seen, last } }: ChaosFigures): string =>
  `epochs: ${seen} seen, the last ${last.join(", ") || "unknown"}`;

const skippedLines = ({ skipped }: ChaosFigures): readonly string[] =>
  Object.entries(skipped).map(([name, why]) => `left out: ${name}: ${why}`);

/** Wrong streams and batches in full: this is what somebody has to find the cause of. */
function verdictText(figures: ChaosFigures): string {
  const { tokensLost, tokensDoubled, wrong, badBatches, seeds } = figures;
  const failures = failuresOf(figures);
  if (failures.length === 0) return "Nothing was lost, doubled or wrong, and no request hung or failed.";
  const streams = wrong.map(
    ({ question, seed: drawn, what, why, faults, sentMs, endedMs }) =>
      `  ${question} (seed ${drawn}), ${sentMs} to ${endedMs} ms: ${what}: ${why}; faults ${faults.join(", ") || "none"}`,
  );
  const batches = badBatches.map((batch) => `  batch: ${JSON.stringify(batch).slice(0, MOST_SHOWN)}`);
  const tokens = `${tokensLost} tokens lost, ${tokensDoubled} doubled`;
  return [`FAILED (--seed ${seeds.join(", ")}): ${failures.join("; ")}. ${tokens}.`, ...streams, ...batches].join("\n");
}

/** Characters of a batch's judgement; the JSON report has all of it. */
const MOST_SHOWN = 1000;
