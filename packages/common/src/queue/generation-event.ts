import { z } from "zod";
import type { Parsed } from "../config/schemas.js";
import { ERROR_TABLE, type ErrorCode } from "../errors/error-table.js";
import { packLogprobs, unpackLogprobs } from "./packed-logprobs.js";

const count = z.number().int().min(0);
/** JSON has no -Infinity and writes null for it. */
const logprob = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NEGATIVE_INFINITY);

/** Packed; a list in logs of earlier versions. */
const logprobsSchema = z.union([
  z.string().transform(unpackLogprobs),
  z.array(z.object({ token: count, logprob, top: z.array(z.tuple([count, logprob])) })),
]);

const usageSchema = z.object({
  promptTokens: count,
  completionTokens: count,
  /** Prompt tokens whose K/V came from the prefix cache. */
  cachedTokens: count,
});
export type Usage = Parsed<typeof usageSchema>;

const ms = z.number().min(0);
/**
 * How long a sequence waited for its first step, had its prompt computed, and drew tokens behind the first, at the
 * coordinator that ended it. The first is from the gateway's clock to the coordinator's, the others by one clock.
 */
const timingsSchema = z.object({ queuedMs: ms, prefillMs: ms, decodeMs: ms });
export type Timings = Parsed<typeof timingsSchema>;

const finishSchema = z.discriminatedUnion("reason", [
  /** `matched`: the stop string or the end token. */
  z.object({ reason: z.literal("stop"), matched: z.union([z.string(), count]) }),
  z.object({ reason: z.literal("length") }),
  z.object({ reason: z.literal("cancelled") }),
  z.object({
    reason: z.literal("error"),
    /** INTERNAL for a code that this version does not know. */
    code: z.enum(Object.keys(ERROR_TABLE) as [ErrorCode]).catch("INTERNAL"),
    message: z.string(),
  }),
]);
export type Finish = Parsed<typeof finishSchema>;

/**
 * One entry of a request's token log, written to Redis before it is announced. The events of a request have the
 * ordinals 0, 1, 2, …; the last one has `finish`. Events that were written together are joined into one.
 *
 * Logs are kept for up to a day and read by other versions of the services: a new optional field keeps the version,
 * a change of meaning raises it.
 */
const generationEventSchema = z.object({
  /** Absent = 1, the only version so far. */
  version: z.literal(1).exactOptional(),
  requestId: z.string(),
  ordinal: count,
  /** The number of events joined in this one: ordinals `ordinal` to `ordinal + joins - 1`. Absent = 1. */
  joins: z.number().int().min(1).exactOptional(),
  tokens: z.array(count),
  /** The text that is certain; the end is held back while a character or a stop string may be incomplete. */
  text: z.string(),
  /** One per token, when asked for. */
  logprobs: logprobsSchema.exactOptional(),
  /**
   * When asked for: one per prompt token after the first, in order. Each event goes on where the one before it ended,
   * and the last of them comes no later than the first generated token.
   */
  promptLogprobs: logprobsSchema.exactOptional(),
  /** With `finish`, when asked for: the prompt's pooled vector, L2-normalised; base64 of f32 little-endian [dim]. */
  embedding: z.string().exactOptional(),
  finish: finishSchema.exactOptional(),
  /** With `finish`. */
  usage: usageSchema.exactOptional(),
  /** With `finish`, of a sequence of which a step ran. */
  timings: timingsSchema.exactOptional(),
});
export type GenerationEvent = Parsed<typeof generationEventSchema>;

const generationEventsSchema = z.array(generationEventSchema);

/** The ordinal of the event that follows `event`. */
export const ordinalAfter = ({ ordinal, joins = 1 }: GenerationEvent): number => ordinal + joins;

/** An entry of a token log. */
export function encodeEvent(event: GenerationEvent): string {
  const { logprobs, promptLogprobs } = event;
  if (logprobs === undefined && promptLogprobs === undefined) return JSON.stringify(event);
  return JSON.stringify({
    ...event,
    logprobs: logprobs && packLogprobs(logprobs),
    promptLogprobs: promptLogprobs && packLogprobs(promptLogprobs),
  });
}

/** The message that announces events to a gateway. */
export const encodeEvents = (events: readonly GenerationEvent[]): string => `[${events.map(encodeEvent).join(",")}]`;

type WithoutLogprobs = Omit<GenerationEvent, "logprobs" | "promptLogprobs">;

/** An event whose log-probabilities are packed. */
interface PackedEvent extends WithoutLogprobs {
  readonly logprobs?: string;
  readonly promptLogprobs?: string;
}

/**
 * Whether a parsed value has the fields of nearly every event and no others: some tokens, their text, perhaps their
 * log-probabilities, and nothing special. The schema would give it back, for 5 % of a gateway's processor time.
 */
function isPlain(value: unknown): value is PackedEvent {
  if (typeof value !== "object" || value === null) return false;
  const { requestId, ordinal, joins, tokens, text, logprobs, promptLogprobs } = value as Partial<PackedEvent>;
  let others = -4;
  for (const optional of [joins, logprobs, promptLogprobs]) if (optional !== undefined) others--;
  for (const _ in value) others++;
  return (
    others === 0 &&
    typeof requestId === "string" &&
    typeof text === "string" &&
    isCount(ordinal) &&
    (joins === undefined || (isCount(joins) && joins !== 0)) &&
    Array.isArray(tokens) &&
    tokens.every(isCount) &&
    (logprobs === undefined || typeof logprobs === "string") &&
    (promptLogprobs === undefined || typeof promptLogprobs === "string")
  );
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

function readEvent(value: unknown): GenerationEvent {
  if (!isPlain(value)) return generationEventSchema.parse(value);
  // Without a copy, which would take 80 ns, a quarter of what JSON.parse takes.
  if (value.logprobs === undefined && value.promptLogprobs === undefined) return value as WithoutLogprobs;
  const { logprobs, promptLogprobs, ...event } = value;
  return {
    ...event,
    ...(logprobs !== undefined && { logprobs: unpackLogprobs(logprobs) }),
    ...(promptLogprobs !== undefined && { promptLogprobs: unpackLogprobs(promptLogprobs) }),
  };
}

/** Reads an announcement. Throws when it is no list of events of a known version. */
export function decodeEvents(message: string): readonly GenerationEvent[] {
  const events: unknown = JSON.parse(message);
  return Array.isArray(events) ? events.map(readEvent) : generationEventsSchema.parse(events);
}

/** Reads an entry of a token log. Throws when it is no event of a known version. */
export const decodeEvent = (entry: string): GenerationEvent => readEvent(JSON.parse(entry));
