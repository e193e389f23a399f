/** What a pull needs besides the catalogue's entry. */
export interface PullOptions {
  /** Created when missing. */
  readonly modelsDir: string;
  /** A Hugging Face server; the public one by default (HF_ENDPOINT names mirrors). */
  readonly endpoint?: string;
  /** An access token (HF_TOKEN); goes to the endpoint's own host only. */
  readonly token?: string;
  readonly onProgress?: (progress: PullProgress) => void;
  readonly signal?: AbortSignal;
  /** A read that brings nothing for this long is given up and resumed; 30 s by default. */
  readonly stallMs?: number;
  /** The first pause before another try, doubled each time; 1 s by default. */
  readonly backoffMs?: number;
}

/** download: bytes so far. package: pip is fetching a wheel, which tells no bytes. verify: bytes read back for the checksum. */
export interface PullProgress {
  readonly phase: "download" | "package" | "verify";
  readonly bytes: number;
  readonly totalBytes: number | undefined;
}
