import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Metrics } from "../metrics.js";

/** What counting answers takes. */
export interface AnswersUse {
  readonly metrics: Pick<Metrics, "answered" | "answerSeconds">;
}

/** Of a request that no route takes, or that never becomes one. */
const NO_ENDPOINT = "none";

/** Counts every answer by its endpoint and status. Those that the framework or the socket gives, their givers count. */
export function countAnswers(app: FastifyInstance, uses: AnswersUse): void {
  app.addHook("onRequest", async (request, reply) => countAnswer(uses, reply, endpointOf(request)));
}

const endpointOf = ({ method, routeOptions: { url } }: FastifyRequest): string =>
  url === undefined ? NO_ENDPOINT : `${method} ${url}`;

/** Counts the answer once it is sent or breaks off. A client that left before it began got none. */
export function countAnswer({ metrics }: AnswersUse, { raw }: FastifyReply, endpoint = NO_ENDPOINT): void {
  const beganAt = performance.now();
  raw.once("close", () => {
    if (!raw.headersSent) return;
    metrics.answered.inc({ endpoint, status: raw.statusCode });
    metrics.answerSeconds.observe({ endpoint }, (performance.now() - beganAt) / 1000);
  });
}

/** Counts an answer that was written to a socket without a request. */
export const countRefusal = ({ metrics }: AnswersUse, status: number): void =>
  metrics.answered.inc({ endpoint: NO_ENDPOINT, status });
