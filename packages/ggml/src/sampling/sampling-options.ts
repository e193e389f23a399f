import { RhoneError } from "@rhone/common/rhone-error";
import type { PenaltyOptions } from "./penalties.js";

export interface SamplingOptions extends PenaltyOptions {
  /** 0 always takes the most probable token; 1 when absent. */
  readonly temperature?: number;
  /** Keeps the k most probable tokens; 0 or less keeps all. */
  readonly topK?: number;
  /** Keeps the most probable tokens that together reach this probability; 1 keeps all. */
  readonly topP?: number;
  /** Keeps tokens with at least this fraction of the best token's probability; 0 keeps all. */
  readonly minP?: number;
  /** Added to the logits of these tokens; -Infinity bans one. */
  readonly logitBias?: LogitBias;
}

/** `values[i]`, f32, is for token `tokens[i]`. */
export interface LogitBias {
  readonly tokens: Int32Array;
  readonly values: Float32Array;
}

export interface SamplerOptions extends SamplingOptions {
  /** Tokens that count for the repetition penalty alone. */
  readonly promptTokens?: Iterable<number>;
  /** Tokens generated so far, when a sequence continues. */
  readonly generatedTokens?: Iterable<number>;
}

/** Identifies a draw. Equal logits, seed and position give the same token, whatever was drawn before. */
export interface Draw {
  readonly seed: number;
  /** The drawn token's position in its sequence. */
  readonly position: number;
}

interface Range {
  readonly fits: (value: number) => boolean;
  readonly range: string;
}

const FINITE: Range = { fits: Number.isFinite, range: "a number" };
const FRACTION: Range = { fits: (value) => value >= 0 && value <= 1, range: "between 0 and 1" };
const PARAMETER_RANGES: readonly (readonly [option: keyof SamplingOptions, param: string, range: Range])[] = [
  ["temperature", "temperature", { fits: (t) => t >= 0 && Number.isFinite(t), range: "0 or more" }],
  ["topK", "top_k", { fits: Number.isInteger, range: "a whole number" }],
  ["topP", "top_p", { fits: (p) => p > 0 && p <= 1, range: "above 0 and at most 1" }],
  ["minP", "min_p", FRACTION],
  ["repetitionPenalty", "repetition_penalty", { fits: (p) => p > 0 && Number.isFinite(p), range: "above 0" }],
  ["frequencyPenalty", "frequency_penalty", FINITE],
  ["presencePenalty", "presence_penalty", FINITE],
];

/** Throws INVALID_REQUEST naming a parameter whose value is out of range, as the API calls it. */
export function checkRanges(options: SamplingOptions): void {
  for (const [option, param, { fits, range }] of PARAMETER_RANGES) {
    const value = options[option];
    if (typeof value !== "number" || fits(value)) continue;
    throw new RhoneError("INVALID_REQUEST", `${param} must be ${range}; it is ${value}.`, { param });
  }
}
