import { z } from "zod";

/** Who a span is, in the headers of W3C's Trace Context: so it travels in requests, jobs and records. */
export const traceCarrierSchema = z.object({
  traceparent: z.string().regex(/^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/),
  tracestate: z.string().max(512).exactOptional(),
});
export type TraceCarrier = Readonly<z.infer<typeof traceCarrierSchema>>;
