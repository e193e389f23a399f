import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiKey, type ClusterStatus, createLogger, type GenerationEvent, type GenerationJob } from "@rhone/common";
import { checkEbnf } from "@rhone/grammar";
import { RateLimiterMemory } from "rate-limiter-flexible";
import type { Limits } from "../admission/caller.js";
import type { IdempotentRecord } from "../admission/idempotency-records.js";
import { KeyRing } from "../admission/key-ring.js";
import { RateLimits } from "../admission/rate-limits.js";
import { BatchStore } from "../batches/batch-store.js";
import { FileStore } from "../files/file-store.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { buildServer } from "../http/server.js";
import { createMetrics } from "../metrics.js";
import { DiskStorage } from "../storage/disk/disk-storage.js";
import type { ObjectStorage } from "../storage/object-storage.js";

/** What a job generates: events without the fields that follow from their place. */
export type Script = (job: GenerationJob) => Iterable<Omit<GenerationEvent, "requestId" | "ordinal">>;

const READY: Pick<ClusterStatus, "coordinator" | "state" | "reason" | "startedAtMs"> = {
  coordinator: "c1",
  state: "ready",
  reason: null,
  startedAtMs: 1_700_000_000_000,
};

/** " He" and "llo", generated in two events. */
export const hello: Script = ({ promptIds }) => [
  { tokens: [72], text: " He" },
  {
    tokens: [73],
    text: "llo",
    finish: { reason: "stop", matched: 2 },
    usage: { promptTokens: promptIds.length, completionTokens: 2, cachedTokens: 0 },
  },
];

const counter = () => new RateLimiterMemory({ points: Number.MAX_SAFE_INTEGER, duration: 60 });

export interface FakeOptions {
  /** Keys that are asked for; none: no keys are. */
  readonly keys?: readonly ApiKey[];
  readonly defaultLimits?: Limits;
  /** As chat templates have it. */
  readonly callToken?: number | undefined;
  /** Default: a folder that goes with the server. */
  readonly storage?: ObjectStorage;
}

/** A gateway without Redis: token ids are bytes, its coordinator answers by `script`. */
export function fakeGateway(
  script: Script = hello,
  state: ClusterStatus["state"] = "ready",
  { keys, defaultLimits = { requests: null, tokens: null }, callToken, storage }: FakeOptions = {},
) {
  const jobs: GenerationJob[] = [];
  const cancelled: string[] = [];
  const records = new Map<string, unknown>();
  const answers = new Map<string, IdempotentRecord>();
  const keyStore = {
    get: async (id: string) => keys?.find((key) => key.id === id) ?? null,
    count: async () => keys?.length ?? 0,
  };
  const eventsOf = async function* (requestId: string) {
    const job = jobs.find((one) => one.requestId === requestId);
    let ordinal = 0;
    if (job !== undefined) for (const event of script(job)) yield { requestId, ordinal: ordinal++, ...event };
  };
  const model = { name: "tiny", contextLength: 64, fingerprint: "abcdef0123456789" };
  const folder = join(tmpdir(), `rhone-storage-${randomUUID()}`);
  const objects = storage ?? new DiskStorage(folder);
  const deps: GatewayDeps = {
    model: {
      name: "tiny",
      aliases: ["small"],
      vocabSize: 256,
      dim: 4,
      addsLeadingSpace: true,
      callToken,
      encodeChat: (messages) => [1, ...Buffer.from(messages.map(({ content }) => content).join("\n"))],
      special: { bos: 1, eos: 2, unk: 0 },
      chatTemplate: undefined,
      encodeText: (text) => [...Buffer.from(` ${text}`)],
      fillInMiddle: (before, after) => [1, 13, ...Buffer.from(after), 11, ...Buffer.from(before)],
      pieceBytes: (id) => Buffer.from([id]),
      grammarVocabulary: () => ({ size: 256, pieces: [], endTokens: [2] }),
      close: () => {},
    },
    client: {
      async *generate(job) {
        jobs.push(job);
        yield* eventsOf(job.requestId);
      },
      follow: ({ requestId }) => eventsOf(requestId),
      cancel: async ({ requestId }) => {
        cancelled.push(requestId);
      },
    },
    streams: {
      save: async (id, record) => {
        records.set(id, JSON.parse(JSON.stringify(record)));
      },
      load: async (id) => records.get(id),
    },
    grammars: { check: async (grammar) => checkEbnf(grammar) },
    cluster: { coordinators: async () => [{ ...READY, state, model } as ClusterStatus] },
    metrics: createMetrics(),
    logger: createLogger({ service: "gateway", level: "silent" }),
    gatewayId: "g1",
    requestTimeoutMs: 5000,
    bodyLimitBytes: 4096,
    files: new FileStore(objects),
    fileLimitBytes: 8192,
    batches: new BatchStore(objects),
    opsless: false,
    corsOrigins: ["https://page.example"],
    keyRing: keys === undefined ? null : new KeyRing(keyStore),
    limits: new RateLimits({ requests: counter(), tokens: counter() }),
    defaultLimits,
    idempotency: {
      claim: async (digest, record) => {
        const found = answers.get(digest) ?? null;
        if (found === null) answers.set(digest, record);
        return found;
      },
      save: async (digest, record) => {
        if (answers.has(digest)) answers.set(digest, record);
      },
      release: async (digest) => {
        answers.delete(digest);
      },
    },
    idempotencyTtlS: 3600,
  };
  const app = buildServer(deps);
  app.addHook("onClose", () => rm(folder, { recursive: true, force: true }));
  const post = (url: string, payload: object, headers: Record<string, string> = {}) =>
    app.inject({ method: "POST", url, payload, headers });
  return { app, deps, jobs, cancelled, post };
}
