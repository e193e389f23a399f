import type { RhoneError } from "@rhone/common";
import { errorMessage } from "../request-error.js";
import type { Writer } from "./writer.js";

export type ResponseStatus = "queued" | "in_progress" | "completed" | "incomplete" | "failed" | "cancelled";

/** What the ids of responses begin with. */
export const RESPONSE_PREFIX = "resp_";

/** Items have the id of their response in theirs, so that a reference to one says where it is. */
export const outputItemId = (kind: "msg" | "fc", responseId: string, index: number): string =>
  `${kind}_${responseId.slice(RESPONSE_PREFIX.length)}o${index}`;

export interface ResponseAbout {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly modelName: string;
  /** Fields of the request that its response repeats. */
  readonly echo: Readonly<Record<string, unknown>>;
}

/** A response before anything is generated. */
export const responseHead = ({ id, created, modelName, echo }: ResponseAbout, status: ResponseStatus) => ({
  id,
  object: "response" as const,
  created_at: created,
  status,
  error: null,
  incomplete_details: null,
  model: modelName,
  output: [] as readonly unknown[],
  ...echo,
});

/** The response of a generation that failed. OpenAI's other codes are about images and policies. */
export const failedWith = (error: RhoneError) => ({
  status: "failed" as const,
  error: {
    code: error.code === "RATE_LIMIT_EXCEEDED" ? "rate_limit_exceeded" : "server_error",
    message: errorMessage(error),
  },
});

/** The output of a response that ended early: its last item is incomplete. */
export const cutOutput = <T extends object>(output: readonly T[]): readonly T[] =>
  output.map((item) => ("status" in item && item.status === "in_progress" ? { ...item, status: "incomplete" } : item));

/** A writer's usage by the names that responses have for it. */
export function responseUsage({ prompt_tokens, completion_tokens, prompt_tokens_details }: Writer["usage"]) {
  return {
    input_tokens: prompt_tokens,
    input_tokens_details: { cached_tokens: prompt_tokens_details.cached_tokens, cache_write_tokens: 0 },
    output_tokens: completion_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: prompt_tokens + completion_tokens,
  };
}
