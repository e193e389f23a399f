import { type ChaosFigures, type FaultFigures, faultFigures, MOST_LONGEST } from "./chaos-figures.js";

/** The figures of several runs as of one; seconds are added up. */
export function mergeFigures(runs: readonly ChaosFigures[]): ChaosFigures {
  const sum = (of: (run: ChaosFigures) => number): number => runs.reduce((total, run) => total + of(run), 0);
  const lines = { asked: 0, lost: 0, doubled: 0, failed: 0, wrong: 0 };
  const problems = runs.flatMap(({ endedBy, seeds }) => (endedBy === null ? [] : [`seed ${seeds}: ${endedBy}`]));
  return {
    seeds: runs.flatMap(({ seeds }) => seeds),
    faults: mergeFaults(runs.flatMap(({ faults }) => faults)),
    struck: runs.flatMap(({ struck }) => struck),
    skipped: Object.assign({}, ...runs.map(({ skipped }) => skipped)),
    longest: runs
      .flatMap(({ longest }) => longest)
      .sort((a, b) => b.ms - a.ms)
      .slice(0, MOST_LONGEST),
    endedBy: problems.length === 0 ? null : problems.join("; "),
    streams: addUp(runs.map(({ streams }) => streams)),
    tokens: sum(({ tokens }) => tokens),
    breaks: sum(({ breaks }) => breaks),
    refusals: sum(({ refusals }) => refusals),
    wrong: runs.flatMap(({ wrong }) => wrong),
    tokensLost: sum(({ tokensLost }) => tokensLost),
    tokensDoubled: sum(({ tokensDoubled }) => tokensDoubled),
    batches: sum(({ batches }) => batches),
    lines: { ...lines, ...addUp(runs.map((run) => run.lines)) },
    badBatches: runs.flatMap(({ badBatches }) => badBatches),
    epochs: { seen: sum(({ epochs }) => epochs.seen), last: runs.flatMap(({ epochs }) => epochs.last) },
    seconds: sum(({ seconds }) => seconds),
  };
}

function mergeFaults(faults: readonly FaultFigures[]): readonly FaultFigures[] {
  const names = [...new Set(faults.map(({ name }) => name))].sort();
  return names.map((name) => {
    const same = faults.filter((each) => each.name === name);
    const most = same.flatMap(({ othersMaxMs }) => othersMaxMs ?? []);
    return faultFigures({
      name,
      times: same.reduce((sum, { times }) => sum + times, 0),
      gapsMs: same.flatMap(({ gapsMs }) => gapsMs),
      othersStreams: same.reduce((sum, { othersStreams }) => sum + othersStreams, 0),
      othersMaxMs: most.length === 0 ? null : Math.max(...most),
    });
  });
}

function addUp(counts: readonly Readonly<Record<string, number>>[]): Readonly<Record<string, number>> {
  const total: Record<string, number> = {};
  for (const [name, count] of counts.flatMap(Object.entries<number>)) total[name] = (total[name] ?? 0) + count;
  return total;
}
