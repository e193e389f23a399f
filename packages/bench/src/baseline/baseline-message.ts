import type { ErrorCode } from "@rhone/common";

/** What llama.cpp is to measure: the same counts as the cluster. */
export interface BaselineRequest {
  readonly sequences: number;
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly threads: number;
  readonly kvUnified: boolean;
  /** Of the random prompts. */
  readonly seed: number;
}

export interface BaselineFigures {
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  /** One K/V buffer for all sequences, or one each. */
  readonly kvUnified: boolean;
}

export type BaselineAnswer =
  | { readonly kind: "measured"; readonly figures: BaselineFigures }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };

/** How the process is started: one JSON argument. */
export interface BaselineStart {
  readonly modelPath: string;
  readonly ggmlDir: string | undefined;
}
