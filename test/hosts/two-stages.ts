import { type Host, Network } from "@rhone/bench";
import { expect } from "vitest";
import { ResumingStream } from "../cluster/resuming-stream.js";
import { SpreadCluster } from "./spread-cluster.js";

const STREAMS = 4;
const TOKENS = 90;
export const PATIENCE = { timeout: 60_000, interval: 50 };
export const TIMEOUT = { timeout: 120_000 };
/** Longest gaps in a stream, in seconds. */
export const A_MOMENT = 3;
/** 3 s until silence is noticed, and then a prefill. */
export const SILENCE = 6;

type Names = "front" | "one" | "two" | "spare";

/** Streams over two stages on hosts of their own, `one` and `two`, that a test disturbs. */
export class TwoStages {
  readonly network: Network<Names>;
  readonly spread: SpreadCluster;
  /** The streams' tokens when nothing disturbs them: simulated ones, by a rule. */
  #undisturbed: readonly (readonly number[])[] = [];

  private constructor(network: Network<Names>, spread: SpreadCluster) {
    this.network = network;
    this.spread = spread;
  }

  /** `tokens`: of the longest streams that tests disturb. */
  static async start({ tokens = TOKENS } = {}): Promise<TwoStages> {
    const network = Network.open(["front", "one", "two", "spare"]);
    try {
      const { front, one, two } = network.hosts;
      const stages = new TwoStages(network, await SpreadCluster.start({ front, workers: [one, two], stages: 2 }));
      stages.#undisturbed = await Promise.all(stages.#streams(tokens).map(({ done }) => done));
      return stages;
    } catch (error) {
      network.close();
      throw error;
    }
  }

  get hosts(): Readonly<Record<Names, Host>> {
    return this.network.hosts;
  }

  close(): void {
    this.network.close();
    this.spread.close();
  }

  /** Disturbs streams in the middle; they must be whole and as they would have been. The longest gap, in seconds. */
  async longestGap(
    disturb: (streams: readonly ResumingStream[]) => unknown,
    { tokens = TOKENS } = {},
  ): Promise<number> {
    const streams = this.#streams(tokens);
    const shortest = () => Math.min(...streams.map(({ ids }) => ids.length));
    const begun = expect.poll(shortest, PATIENCE).toBeGreaterThan(10);
    await Promise.race([begun, ...streams.map(({ done }) => done)]); // one that fails says why
    await disturb(streams);
    const expected = this.#undisturbed.map((ids) => ids.slice(0, tokens));
    expect(await Promise.all(streams.map(({ done }) => done))).toEqual(expected);
    expect(streams.every(({ breaks }) => breaks === 0)).toBe(true);
    return Math.max(...streams.map(({ longestGapMs }) => longestGapMs)) / 1000;
  }

  async state(): Promise<string> {
    return (await this.spread.status()).state;
  }

  async joined(): Promise<number> {
    return (await this.spread.status()).workers.length;
  }

  async detours(): Promise<readonly number[] | undefined> {
    return (await this.spread.status()).detours;
  }

  async epoch(): Promise<number> {
    return (await this.spread.status()).epoch;
  }

  #streams(tokens: number): readonly ResumingStream[] {
    return Array.from({ length: STREAMS }, (_, index) => {
      const body = { prompt: `Stream ${index}`, max_tokens: tokens, ignore_eos: true, temperature: 0 };
      return new ResumingStream(this.spread.cluster, body, 80_000);
    });
  }
}
