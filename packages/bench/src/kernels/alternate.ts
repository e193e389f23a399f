import { median } from "../figures/percentiles.js";

/** Milliseconds of two contenders that ran in turn: medians, and the least, which other work disturbed least. */
export interface Compared {
  readonly ours: Timed;
  readonly ggml: Timed;
  /** ggml's time over ours, of the medians and of the least. */
  readonly ratio: Timed;
}

export interface Timed {
  readonly median: number;
  readonly least: number;
}

export interface Contenders {
  readonly ours: () => Promise<void>;
  readonly ggml: () => Promise<void>;
}

/** Runs both once without timing, then `rounds` times in turn. */
export async function alternate({ ours, ggml }: Contenders, rounds: number): Promise<Compared> {
  const times = { ours: [] as number[], ggml: [] as number[] };
  for (const run of [ours, ggml]) await run();
  for (let round = 0; round < rounds; round++) {
    times.ours.push(await milliseconds(ours));
    times.ggml.push(await milliseconds(ggml));
  }
  const [a, b] = [timed(times.ours), timed(times.ggml)];
  return { ours: a, ggml: b, ratio: { median: b.median / a.median, least: b.least / a.least } };
}

const timed = (times: readonly number[]): Timed => ({ median: median(times), least: Math.min(...times) });

async function milliseconds(run: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}
