import type { Logger } from "@rhone/common";
import type { GrammarChecker } from "@rhone/grammar";
import type { Limits } from "./admission/caller.js";
import type { IdempotencyRecords } from "./admission/idempotency-records.js";
import type { KeyRing } from "./admission/key-ring.js";
import type { RateLimits } from "./admission/rate-limits.js";
import type { StreamRecords } from "./answers/stream-records.js";
import type { BatchStore } from "./batches/batch-store.js";
import type { FileStore } from "./files/file-store.js";
import type { Metrics } from "./metrics.js";
import type { ClusterState } from "./queue/cluster-state.js";
import type { GenerationClient } from "./queue/generation-client.js";
import type { TextModel } from "./text/text-model.js";

/** What the routes work with. */
export interface GatewayDeps {
  readonly model: TextModel;
  readonly client: GenerationClient;
  readonly cluster: ClusterState;
  readonly streams: StreamRecords;
  readonly grammars: Pick<GrammarChecker, "check">;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly gatewayId: string;
  readonly requestTimeoutMs: number;
  readonly bodyLimitBytes: number;
  readonly files: FileStore;
  readonly fileLimitBytes: number;
  readonly batches: BatchStore;
  readonly opsless: boolean;
  /** Origins whose pages may read answers; ["*"]: all. */
  readonly corsOrigins: readonly string[];
  /** null: no API keys are asked for. */
  readonly keyRing: Pick<KeyRing, "find" | "isEmpty"> | null;
  readonly limits: RateLimits;
  /** Of callers whose keys have none. */
  readonly defaultLimits: Limits;
  readonly idempotency: IdempotencyRecords;
  /** Seconds that answers are kept for requests with the same Idempotency-Key. */
  readonly idempotencyTtlS: number;
}
