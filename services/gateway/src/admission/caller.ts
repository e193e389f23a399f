/** Who sent a request. */
export interface Caller {
  /** The name of its API key; "" where no keys are asked for. Files, batches, streams and fair shares go by it. */
  readonly owner: string;
  /** Of its key, or the gateway's defaults; null: no limit. */
  readonly limits: Limits;
}

/** Per minute. */
export interface Limits {
  readonly requests: number | null;
  readonly tokens: number | null;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Set before any handler runs. */
    caller: Caller;
  }
}
