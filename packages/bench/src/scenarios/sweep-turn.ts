import type { BaselineFigures } from "../baseline/measure-baseline.js";
import { medianBy } from "../figures/percentiles.js";
import type { Point } from "../measure/measure-point.js";

export interface PeerFigures extends BaselineFigures {
  /** Cores that other processes used meanwhile; null where it can't be told. */
  readonly otherCores: number | null;
}

/** One measurement of the cluster, and of llama.cpp right after it if that is asked for. */
export interface Turn {
  readonly point: Point;
  readonly peer: PeerFigures | null;
}

/** The ratios are rhone / llama.cpp, medians over the turns. */
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

/** Other processes disturb a turn when they use more cores than this. */
const DISTURBING_CORES = 0.1;

const isDisturbed = ({ otherCores }: Pick<Point, "otherCores">): boolean => (otherCores ?? 0) > DISTURBING_CORES;

/** The turn with the median ratio to llama.cpp, or median rate without it; undisturbed turns only, if there are any. */
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

/** rhone / llama.cpp, or the rate itself without llama.cpp. */
const ratio =
  (key: "prefillTokensPerSecond" | "decodeTokensPerSecond") =>
  ({ point, peer }: Turn): number =>
    point[key] / (peer?.[key] ?? 1);

/** One line. */
export function describeTurn({ point, peer }: Turn): string {
  const rates = ({ decodeTokensPerSecond, prefillTokensPerSecond, otherCores: others }: Rates): string => {
    const disturbed = (others ?? 0) > DISTURBING_CORES ? ` (other processes used ${others?.toFixed(2)} cores)` : "";
    const prefill = prefillTokensPerSecond.toFixed(1);
    return `decode ${decodeTokensPerSecond.toFixed(1)}, prefill ${prefill} tokens/s${disturbed}`;
  };
  const other = peer === null ? "" : `; llama.cpp ${rates(peer)}`;
  const streams = point.concurrency === 1 ? "1 stream" : `${point.concurrency} streams`;
  return `${streams}: ${rates(point)}${other}`;
}
