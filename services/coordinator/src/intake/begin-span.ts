import { type GenerationJob, queueName, type TraceSpan, type Tracing } from "@rhone/common";

/**
 * The span of a job that was taken, which the gateway's is above; before it one of its time in the queue. null: it is
 * not traced.
 */
export function beginSpan(
  tracing: Tracing,
  { trace, requestId, model, lane }: GenerationJob,
  { queuedAtMs, recorded }: { readonly queuedAtMs: number | undefined; readonly recorded: number },
): TraceSpan | null {
  if (trace === undefined) return null;
  const queue = queueName({ model, lane });
  const attributes = {
    "messaging.system": "bullmq",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.destination.name": queue,
    "messaging.message.id": requestId,
    // Tokens that another coordinator has generated.
    "rhone.recorded": recorded,
  };
  tracing.begin("queue", { parent: trace, startedAtMs: queuedAtMs, attributes: { "rhone.lane": lane } })?.end();
  return tracing.begin("generate", { kind: "consumer", parent: trace, attributes });
}
