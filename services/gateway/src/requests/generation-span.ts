import {
  type ErrorCode,
  type GenerationJob,
  requestOfChoice,
  type SpanAttributes,
  type TraceSpan,
} from "@rhone/common";
import type { PreparedRequest } from "./prepare.js";
import type { Outcome, RunObserver } from "./run-request.js";

type Generated = Pick<PreparedRequest, "jobs" | "stream" | "writer">;

export interface TracedGeneration {
  readonly jobs: readonly GenerationJob[];
  /** Follow the run; one, or none. */
  readonly observers: readonly RunObserver[];
}

/**
 * The jobs of a request as parts of a span of its generation, which is a part of `above`. Without one, they are as they
 * are. Names: OpenTelemetry's conventions for generative AI.
 */
export function traceGeneration(above: TraceSpan | null | undefined, request: Generated): TracedGeneration {
  const { jobs } = request;
  const [first] = jobs;
  if (above == null || first === undefined) return { jobs, observers: [] };
  const name = `${operationOf(first)} ${first.model}`;
  const span = above.child(name, { kind: "client", attributes: asked(request, first) });
  const trace = span.carrier;
  return { jobs: jobs.map((job) => ({ ...job, trace })), observers: [generationSpan(span, request)] };
}

/** By the prefix of its id, which is its endpoint's. */
function operationOf({ requestId }: GenerationJob): string {
  if (requestId.startsWith("embd-")) return "embeddings";
  return requestId.startsWith("cmpl-") ? "text_completion" : "chat";
}

function asked({ jobs, stream }: Generated, first: GenerationJob): SpanAttributes {
  const { sampling, maxTokens, model, requestId } = first;
  const about = {
    "gen_ai.operation.name": operationOf(first),
    "gen_ai.provider.name": "rhone",
    "gen_ai.request.model": model,
    "gen_ai.response.model": model,
    "gen_ai.response.id": requestOfChoice(requestId),
  };
  if (first.pooling !== null) return about;
  return {
    ...about,
    "gen_ai.request.max_tokens": maxTokens,
    "gen_ai.request.temperature": sampling.temperature,
    "gen_ai.request.top_p": sampling.topP,
    ...(sampling.topK > 0 && { "gen_ai.request.top_k": sampling.topK }),
    ...(sampling.frequencyPenalty !== 0 && { "gen_ai.request.frequency_penalty": sampling.frequencyPenalty }),
    ...(sampling.presencePenalty !== 0 && { "gen_ai.request.presence_penalty": sampling.presencePenalty }),
    ...(stream && { "gen_ai.request.stream": true }),
    ...(jobs.length > 1 && { "gen_ai.request.choice.count": jobs.length }),
  };
}

function generationSpan(span: TraceSpan, { stream, writer }: Generated): RunObserver {
  const startedAt = performance.now();
  const reasons: string[] = [];
  let isFirst = true;
  return {
    took: ({ finish }) => {
      if (isFirst) {
        span.event("first event");
        if (stream) span.set({ "gen_ai.response.time_to_first_chunk": (performance.now() - startedAt) / 1000 });
      }
      isFirst = false;
      if (finish !== undefined) reasons.push(finish.reason);
    },
    ended: (outcome) => {
      const { prompt_tokens, completion_tokens, prompt_tokens_details } = writer.usage;
      span.set({
        "gen_ai.usage.input_tokens": prompt_tokens,
        "gen_ai.usage.cache_read.input_tokens": prompt_tokens_details.cached_tokens,
        "gen_ai.usage.output_tokens": completion_tokens,
        "gen_ai.response.finish_reasons": reasons,
      });
      if (outcome !== "ok") span.fail({ code: codeOf(outcome) });
      span.end();
    },
  };
}

export const codeOf = (outcome: Exclude<Outcome, "ok">): ErrorCode => outcome.toUpperCase() as ErrorCode;
