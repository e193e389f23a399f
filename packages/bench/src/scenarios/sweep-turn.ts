import type { BaselineFigures } from "../baseline/baseline-message.js";
import { medianBy } from "../figures/percentiles.js";
import type { Point } from "../measure/measure-point.js";

export interface PeerFigures extends BaselineFigures {
  /** Cores that others on the machine took meanwhile; null where it is not known. */
  readonly otherCores: number | null;
}

/** The cluster, and after it llama.cpp if it is measured. */
export interface Turn {
  readonly point: Point;
  readonly peer: PeerFigures | null;
}

/** rhone / llama.cpp: the medians of what each turn gives. */
export interface SweepBaseline extends PeerFigures {
  readonly decodeRatio: number;
  readonly prefillRatio: number;
}

export interface SweepPoint extends Point {
  /** Of each turn. */
  readonly decodeRuns: readonly number[];
  readonly baseline: SweepBaseline | null;
  readonly baselineDecodeRuns: readonly number[];
}

/** What others take of a machine before a line says so. */
const DISTURBING_CORES = 0.1;

const isDisturbed = ({ otherCores }: Pick<Point, "otherCores">): boolean => (otherCores ?? 0) > DISTURBING_CORES;

/** The turn with the median ratio, or rate; of those that nobody disturbed, if there are any. */
export function summarizeTurns(all: readonly Turn[]): SweepPoint {
  const quiet = all.filter(({ point, peer }) => !isDisturbed(point) && !(peer !== null && isDisturbed(peer)));
  const turns = quiet.length > 0 ? quiet : all;
  const decode = ratio("decodeTokensPerSecond");
  const prefill = ratio("prefillTokensPerSecond");
  const { point, peer } = medianBy(turns, decode);
  const ratios = { decodeRatio: decode({ point, peer }), prefillRatio: prefill(medianBy(turns, prefill)) };
  return {
    ...point,
    decodeRuns: all.map((turn) => turn.point.decodeTokensPerSecond),
    baseline: peer === null ? null : { ...peer, ...ratios },
    baselineDecodeRuns: all.flatMap((turn) => turn.peer?.decodeTokensPerSecond ?? []),
  };
}

type Rates = Pick<Point, "prefillTokensPerSecond" | "decodeTokensPerSecond" | "otherCores">;

/** rhone / llama.cpp, or the rate itself where llama.cpp was not measured. */
const ratio =
  (key: "prefillTokensPerSecond" | "decodeTokensPerSecond") =>
  ({ point, peer }: Turn): number =>
    point[key] / (peer?.[key] ?? 1);

/** One line. */
export function describeTurn({ point, peer }: Turn): string {
  const rates = ({ decodeTokensPerSecond, prefillTokensPerSecond, otherCores: others }: Rates): string => {
    const disturbed = (others ?? 0) > DISTURBING_CORES ? ` (others took ${others?.toFixed(2)} cores)` : "";
    return `decode ${decodeTokensPerSecond.toFixed(1)}, prefill ${prefillTokensPerSecond.toFixed(1)} tokens/s${disturbed}`;
  };
  const other = peer === null ? "" : `; llama.cpp ${rates(peer)}`;
  return `${point.concurrency} streams: ${rates(point)}${other}`;
}
