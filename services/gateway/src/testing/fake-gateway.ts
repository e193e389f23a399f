import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ApiKey,
  type ClusterStatus,
  createLogger,
  type Logger,
  loadConfig,
  NO_TRACING,
  type Tracing,
} from "@rhone/common";
import { behindSpace, type GrammarSource, writeLenient } from "@rhone/grammar";
import type { Limits } from "../admission/caller.js";
import { IdempotencyRecords } from "../admission/idempotency-records.js";
import { RateLimits } from "../admission/rate-limits.js";
import { StreamRecords } from "../answers/stream-records.js";
import { gatewaySettings } from "../config.js";
import { assembleGateway, type Surroundings } from "../gateway.js";
import type { GatewayModel } from "../models/served-models.js";
import { OpenResponses, type OpenSet } from "../responses/open-responses.js";
import { ResponseStore } from "../responses/response-store.js";
import { DiskStorage } from "../storage/disk/disk-storage.js";
import type { ObjectStorage } from "../storage/object-storage.js";
import type { TextModel } from "../text/text-model.js";
import { FakeCluster, type Script } from "./fake-cluster.js";
import { fakeModel } from "./fake-model.js";
import { FakeRedis } from "./fake-redis.js";
import { memoryBudgets } from "./memory-budgets.js";

export { hello, type Script } from "./fake-cluster.js";

export interface FakeOptions {
  /** Default: others have all leases. */
  readonly takeLease?: Surroundings["takeLease"];
  /** Keys that exist; absent: no keys are required. */
  readonly keys?: readonly ApiKey[];
  readonly keysCommand?: string;
  /** Default: none. */
  readonly allowedHosts?: string;
  /** Default: none. */
  readonly trustedProxies?: string;
  readonly defaultLimits?: Limits;
  /** The call token of the chat template. */
  readonly callToken?: number | undefined;
  /** Default: "tiny" alone. */
  readonly models?: readonly TextModel[];
  /** Default: 256 MiB. */
  readonly answersBytes?: number;
  /** Default: 0, no pings. */
  readonly pingIntervalMs?: number;
  /** Default: 0, no request waits for a pipeline. */
  readonly pipelineWaitMs?: number;
  readonly pingWholeAnswers?: boolean;
  /** Default: 1,000. */
  readonly sendTimeoutMs?: number;
  /** Default: true. */
  readonly console?: boolean;
  /** Default: true. */
  readonly vllmMetrics?: boolean;
  /** Default: 5,000. */
  readonly requestTimeoutMs?: number;
  /** Default: a folder that is removed when the server closes. */
  readonly storage?: ObjectStorage;
  /** Default: a silent one. */
  readonly logger?: Logger;
  /** Default: true. */
  readonly requestLog?: boolean;
  /** Default: none. */
  readonly tracing?: Tracing;
}

/** Settings of the fake gateway: small limits, so that tests exceed them cheaply. */
const configOf = ({ keys, keysCommand, defaultLimits, answersBytes, ...times }: FakeOptions) =>
  loadConfig(
    gatewaySettings,
    {
      RHONE_MODEL_PATH: "none",
      RHONE_GATEWAY_ID: "g1",
      RHONE_CONSOLE: String(times.console ?? true),
      RHONE_LIVE_READERS: "2",
      RHONE_REQUEST_TIMEOUT_MS: String(times.requestTimeoutMs ?? 5000),
      RHONE_SEND_TIMEOUT_MS: String(times.sendTimeoutMs ?? 1000),
      RHONE_BODY_LIMIT_BYTES: "4096",
      RHONE_FILE_LIMIT_BYTES: "8192",
      RHONE_FILES_PER_KEY: "5",
      RHONE_FILE_BYTES_PER_KEY: "12288",
      RHONE_CORS_ORIGINS: "https://page.example",
      RHONE_ALLOWED_HOSTS: times.allowedHosts,
      RHONE_TRUSTED_PROXIES: times.trustedProxies,
      RHONE_IDEMPOTENCY_TTL_S: "3600",
      RHONE_AUTH: keys === undefined ? "off" : "keys",
      RHONE_KEYS_COMMAND: keysCommand,
      RHONE_REQUESTS_PER_MINUTE: String(defaultLimits?.requests ?? 0),
      RHONE_TURN_WAIT_MS: "100",
      RHONE_PIPELINE_WAIT_MS: String(times.pipelineWaitMs ?? 0),
      RHONE_PING_INTERVAL_MS: String(times.pingIntervalMs ?? 0),
      RHONE_PING_WHOLE_ANSWERS: String(times.pingWholeAnswers ?? false),
      RHONE_VLLM_METRICS: String(times.vllmMetrics ?? true),
      ...(answersBytes !== undefined && { RHONE_ANSWERS_BYTES: String(answersBytes) }),
      RHONE_REQUEST_LOG: String(times.requestLog ?? true),
      RHONE_TOKENS_PER_MINUTE: String(defaultLimits?.tokens ?? 0),
    },
    [],
  );

/** The secret of the fake gateway's cluster. */
export const CLUSTER_SECRET = "c".repeat(43);

/** Writes grammars, and does not try them out. */
export const fakeGrammars = {
  build: async ({ source, leadingSpace }: { readonly source: GrammarSource; readonly leadingSpace: boolean }) => {
    const { grammar, warnings } = writeLenient(source);
    return { grammar: leadingSpace ? behindSpace(grammar) : grammar, warnings };
  },
};

/** Four layers of a megabyte each. */
export const fakeSummary: GatewayModel["summary"] = async () => {
  const layers = [1e6, 1e6, 1e6, 1e6];
  const config = { dim: 64, nLayers: 4, nKvHeads: 2, headDim: 32, contextLength: 64, slidingWindow: 0 };
  const weightBytes = { layers, embedding: 5e5, head: 5e5, total: 5e6 };
  return { config: config as Awaited<ReturnType<GatewayModel["summary"]>>["config"], weightBytes, nParameters: 5e6 };
};

/** Keys in memory, those that exist first. */
function fakeKeys(existing: readonly ApiKey[]): Surroundings["keys"] {
  const keys = [...existing];
  return {
    get: async (id) => keys.find((key) => key.id === id) ?? null,
    count: async () => keys.length,
    list: async () => keys,
    add: async (key) => void keys.push(key),
    revoke: async (id) => {
      const at = keys.findIndex((key) => key.id === id);
      return at === -1 ? [] : keys.splice(at, 1);
    },
  };
}

/** A gateway without Redis: token ids are bytes, and its cluster answers by `script`. */
export function fakeGateway(script?: Script, state?: ClusterStatus["state"], options: FakeOptions = {}) {
  const [model = fakeModel({ callToken: options.callToken }), ...more] = options.models ?? [];
  const cluster = new FakeCluster(script, state);
  const redis = new FakeRedis();
  const folder = join(tmpdir(), `rhone-storage-${randomUUID()}`);
  const gateway = assembleGateway(configOf(options), {
    models: [model, ...more].map((text) => ({ text, grammars: fakeGrammars, summary: fakeSummary })),
    client: cluster,
    cluster,
    records: {
      depths: async (queues) => queues.map(() => ({ waiting: 0, taken: 0, oldestMs: 0 })),
      gateways: async () => [{ id: "g1", address: "10.0.0.9:8080" }],
    },
    storage: options.storage ?? new DiskStorage(folder),
    keys: fakeKeys(options.keys ?? []),
    limits: new RateLimits({ requests: memoryBudgets(), tokens: memoryBudgets() }),
    streams: new StreamRecords(redis.kept),
    idempotency: new IdempotencyRecords(redis.kept),
    responses: new ResponseStore(redis.kept, 3600),
    openResponses: new OpenResponses(redis as unknown as OpenSet),
    takeLease: options.takeLease ?? (async () => null),
    clusterSecret: CLUSTER_SECRET,
    tracing: options.tracing ?? NO_TRACING,
    logger: options.logger ?? createLogger({ service: "gateway", level: "silent" }),
  });
  gateway.app.addHook("onClose", () => rm(folder, { recursive: true, force: true }));
  const post = (url: string, payload: object, headers: Record<string, string> = {}) =>
    gateway.app.inject({ method: "POST", url, payload, headers });
  return {
    ...gateway,
    model,
    redis,
    statuses: cluster.statuses,
    jobs: cluster.jobs,
    cancelled: cluster.cancelled,
    post,
  };
}
