import { type ApiKeyStore, type Logger, mostOpenFiles, type Tracing } from "@rhone/common";
import type { FastifyInstance } from "fastify";
import type { IdempotencyRecords } from "./admission/idempotency-records.js";
import { KeyRing, keysRequired } from "./admission/key-ring.js";
import type { RateLimits } from "./admission/rate-limits.js";
import { AnswerRoom } from "./answers/answer-room.js";
import type { StreamRecords } from "./answers/stream-records.js";
import { BatchRunner, type BatchRunnerOptions } from "./batches/batch-runner.js";
import { BatchStore } from "./batches/batch-store.js";
import type { GatewayConfig } from "./config.js";
import { FileQuota } from "./files/file-quota.js";
import { FileStore } from "./files/file-store.js";
import { admit } from "./http/admit.js";
import { idempotency } from "./http/idempotency.js";
import { connectionsWithin } from "./http/places.js";
import { Readers } from "./http/readers.js";
import { batchJobs } from "./http/routes/batch-jobs.js";
import { batches } from "./http/routes/batches.js";
import { files } from "./http/routes/files.js";
import { generation } from "./http/routes/generation.js";
import { health } from "./http/routes/health.js";
import { models } from "./http/routes/models.js";
import { responses } from "./http/routes/responses.js";
import { streams } from "./http/routes/streams.js";
import { tokenize } from "./http/routes/tokenize.js";
import { buildServer } from "./http/server.js";
import { createMetrics } from "./metrics.js";
import { type GatewayModel, ServedModels } from "./models/served-models.js";
import type { ClusterRecords } from "./monitoring/cluster-records.js";
import { ClusterView } from "./monitoring/cluster-view.js";
import { MetricsPages } from "./monitoring/metrics-pages.js";
import type { ClusterState } from "./queue/cluster-state.js";
import type { GenerationClient } from "./queue/generation-client.js";
import { BackgroundResponses } from "./responses/background-responses.js";
import type { OpenResponses } from "./responses/open-responses.js";
import type { ResponseStore } from "./responses/response-store.js";
import type { ObjectStorage } from "./storage/object-storage.js";

/** Everything outside the process that a gateway works with; all of it is borrowed. */
export interface Surroundings {
  /** The first is the one of requests that name none. */
  readonly models: readonly GatewayModel[];
  readonly client: GenerationClient;
  readonly cluster: ClusterState;
  readonly records: ClusterRecords;
  readonly storage: ObjectStorage;
  readonly keys: Pick<ApiKeyStore, "get" | "count">;
  readonly limits: RateLimits;
  readonly streams: StreamRecords;
  readonly idempotency: IdempotencyRecords;
  readonly responses: ResponseStore;
  readonly openResponses: OpenResponses;
  readonly takeLease: BatchRunnerOptions["takeLease"];
  /** Of the processes of this machine's cluster; null where the gateway was not told. */
  readonly clusterSecret: string | null;
  readonly tracing: Tracing;
  readonly logger: Logger;
}

/**
 * Puts a gateway together: the HTTP server, not listening yet, and what runs in the background, not started. Throws
 * INVALID_CONFIG for models with a name in common.
 */
export function assembleGateway(
  config: GatewayConfig,
  { models: opened, storage, keys, takeLease, ...outside }: Surroundings,
) {
  const { requestsPerMinute: requests, tokensPerMinute: tokens } = config;
  const metrics = createMetrics();
  const store = new FileStore(storage);
  const served = new ServedModels(opened, outside.cluster, { waitMs: config.pipelineWaitMs });
  const view = new ClusterView({ ...outside, models: served });
  const parts = {
    ...config,
    ...outside,
    models: served,
    metrics,
    pages: new MetricsPages({ metrics, view, vllmNames: config.vllmMetrics }),
    answers: new AnswerRoom({ most: config.answersBytes, withinMs: config.turnWaitMs, metrics }),
    files: store,
    quota: new FileQuota(store, { files: config.filesPerKey, bytes: config.fileBytesPerKey }),
    batches: new BatchStore(storage),
    keyRing: keysRequired(config.auth, config.host) ? new KeyRing(keys) : null,
    defaultLimits: { requests, tokens },
    readers: new Readers({ ofStream: config.streamReaders, most: config.mostReaders }),
  };
  const background = new BackgroundResponses({ ...parts, takeLease });
  const routes = (scope: FastifyInstance): void => {
    admit(scope, parts);
    idempotency(scope, parts);
    for (const register of [generation, streams, tokenize, files, batches, batchJobs, models, health])
      register(scope, parts);
    responses(scope, { ...parts, background });
  };
  const mostConnections = connectionsWithin(config.mostConnections, mostOpenFiles(), parts.logger);
  const app = buildServer({ ...parts, mostConnections, requiresKeys: parts.keyRing !== null, routes });
  const { batchesAtOnce: mostBatches, batchLinesInFlight: linesInFlight } = config;
  const input = { mostLines: config.batchMostLines, mostBytes: config.fileLimitBytes };
  const batchRunner = new BatchRunner({ uses: parts, takeLease, mostBatches, linesInFlight, input });
  return { app, batchRunner, background, ...parts };
}
