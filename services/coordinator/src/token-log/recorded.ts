/** The state of a request in its log, for a coordinator that takes the request over. */
export interface RecordedGeneration {
  readonly tokens: readonly number[];
  /** Number of prompt tokens whose scores the log has. */
  readonly scored: number;
  /** Ordinal of the next event. */
  readonly ordinal: number;
  readonly finished: boolean;
  /** false when Redis has lost the log's first events. */
  readonly isWhole: boolean;
}

/** The state of a new request. */
export const NOTHING_RECORDED: RecordedGeneration = {
  tokens: [],
  scored: 0,
  ordinal: 0,
  finished: false,
  isWhole: true,
};
