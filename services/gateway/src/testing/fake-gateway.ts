import { type ClusterStatus, createLogger, type GenerationEvent, type GenerationJob } from "@rhone/common";
import { checkEbnf } from "@rhone/grammar";
import { createMetrics } from "../metrics.js";
import { buildServer } from "../server.js";

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

/** A gateway without Redis: token ids are bytes, its coordinator answers by `script`. */
export function fakeGateway(script: Script = hello, state: ClusterStatus["state"] = "ready") {
  const jobs: GenerationJob[] = [];
  const model = { name: "tiny", contextLength: 64, fingerprint: "abcdef0123456789" };
  const app = buildServer({
    model: {
      name: "tiny",
      aliases: ["small"],
      vocabSize: 256,
      addsLeadingSpace: true,
      encodeChat: (messages) => [1, ...Buffer.from(messages.map(({ content }) => content).join("\n"))],
      encodeText: (text) => [...Buffer.from(` ${text}`)],
      pieceBytes: (id) => Buffer.from([id]),
      grammarVocabulary: () => ({ size: 256, pieces: [], endTokens: [2] }),
      close: () => {},
    },
    client: {
      async *generate(job) {
        jobs.push(job);
        let ordinal = 0;
        for (const event of script(job)) yield { requestId: job.requestId, ordinal: ordinal++, ...event };
      },
    },
    grammars: { check: async (grammar) => checkEbnf(grammar) },
    cluster: { coordinators: async () => [{ ...READY, state, model } as ClusterStatus] },
    metrics: createMetrics(),
    logger: createLogger({ service: "gateway", level: "silent" }),
    gatewayId: "g1",
    requestTimeoutMs: 5000,
    bodyLimitBytes: 4096,
    opsless: false,
  });
  const post = (url: string, payload: object) => app.inject({ method: "POST", url, payload });
  return { app, jobs, post };
}
