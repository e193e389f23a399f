import { median } from "../figures/percentiles.js";
import type { BenchTarget } from "./bench-target.js";
import { type FloodFigures, type FloodLoad, measureFlood } from "./measure-flood.js";

/** The same load on two clusters, one right after the other. */
export interface FloodTurn {
  readonly plain: FloodFigures;
  readonly changed: FloodFigures;
  /** Tokens/s of the changed cluster over those of the plain one. */
  readonly tokensRatio: number;
  /** The same of processor time per token; null where the system does not tell. */
  readonly cpuRatio: number | null;
}

export interface FloodTurns {
  readonly turns: readonly FloodTurn[];
  /** Medians. */
  readonly tokensRatio: number;
  readonly cpuRatio: number | null;
}

export interface MeasuredTurns {
  readonly plain: BenchTarget;
  readonly changed: BenchTarget;
  readonly load: FloodLoad;
  readonly turns: number;
  readonly note: (text: string) => void;
}

/** Both clusters run all the time; each turn loads one, then the other, and the next turn the other way round. */
export async function measureTurns({ plain, changed, load, turns: most, note }: MeasuredTurns): Promise<FloodTurns> {
  const turns: FloodTurn[] = [];
  for (let number = 1; number <= most; number++) {
    const order = number % 2 === 1 ? [plain, changed] : [changed, plain];
    const figures = new Map<BenchTarget, FloodFigures>();
    for (const target of order) figures.set(target, await measureFlood(target, load));
    const turn = compared(figures.get(plain), figures.get(changed));
    turns.push(turn);
    note(`turn ${number} of ${most}: ${turn.tokensRatio.toFixed(3)} of the tokens/s`);
  }
  const cpuRatios = turns.flatMap(({ cpuRatio }) => cpuRatio ?? []);
  return {
    turns,
    tokensRatio: median(turns.map(({ tokensRatio }) => tokensRatio)),
    cpuRatio: cpuRatios.length === turns.length ? median(cpuRatios) : null,
  };
}

function compared(plain: FloodFigures | undefined, changed: FloodFigures | undefined): FloodTurn {
  if (plain === undefined || changed === undefined) throw new Error("Both clusters were measured");
  const [before, after] = [cpuPerToken(plain), cpuPerToken(changed)];
  const cpuRatio = before === null || after === null ? null : after / before;
  return { plain, changed, tokensRatio: changed.tokensPerSecond / plain.tokensPerSecond, cpuRatio };
}

/** Microseconds of all processes of the bench together, its own included. */
export const cpuPerToken = ({ processes }: FloodFigures): number | null =>
  processes?.reduce((sum, { microsecondsPerToken }) => sum + microsecondsPerToken, 0) ?? null;
