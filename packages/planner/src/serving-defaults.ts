/** What a coordinator serves with unless told otherwise; `rhone plan` counts with the same. */
export const SERVING_DEFAULTS = {
  /** Positions per page. */
  pageSize: 32,
  /** Sequences at a time. */
  maxSequences: 64,
  /** Tokens per step. */
  maxRows: 512,
  /** Longest context: longer ones must be asked for, since each sequence may claim pages for all of it. */
  contextLimit: 32_768,
} as const;
