import { type Logger, type RhoneError, toRhoneError } from "@rhone/common";
import { cutOutput, failedWith } from "../answers/response-object.js";
import type { ChoiceEvent, Writer } from "../answers/writer.js";
import type { OpenResponses } from "./open-responses.js";
import type { ResponseRecord, ResponseView } from "./response-record.js";
import type { ResponseStore } from "./response-store.js";

type Events = AsyncGenerator<ChoiceEvent, void, undefined>;

export interface KeptRun {
  readonly store: ResponseStore;
  /** Of the response before anything is generated. */
  readonly record: ResponseRecord;
  /** Takes the events in. */
  readonly writer: Writer;
}

/** Passes the events on, and keeps the response before its client gets the last of it. Throws REDIS_UNAVAILABLE. */
export async function* keepWhole(events: Events, { store, record, writer }: KeptRun): Events {
  yield* events;
  await store.save({ ...record, response: (await writer.whole()) as ResponseView }, "NX");
}

export interface KeptStream extends KeptRun {
  readonly open: OpenResponses;
  /** Generation goes on when the client leaves. */
  readonly isDetached: boolean;
  readonly logger: Logger;
}

/** "left": the reader of the events stopped. */
type Outcome = "ok" | "left" | RhoneError;

/**
 * Passes the events on, and keeps the response from the first one on, so that it is there when its client knows its id,
 * and again at its end, however it ends. Throws REDIS_UNAVAILABLE before the first event.
 */
export async function* keepStreamed(events: Events, kept: KeptStream): Events {
  let outcome: Outcome = "left";
  let isKept = false;
  try {
    for await (const event of events) {
      if (!isKept) await kept.store.create(kept.record);
      isKept = true;
      yield event;
    }
    outcome = "ok";
  } catch (error) {
    outcome = toRhoneError(error);
    throw error;
  } finally {
    if (isKept) await end(kept, outcome);
  }
}

/** Never rejects: the stream goes on to its end, and its record tells that it is unfinished until its deadline. */
async function end({ store, open, record, writer, isDetached, logger }: KeptStream, outcome: Outcome): Promise<void> {
  const { id } = record.response;
  const isLeft = outcome === "left" || (outcome !== "ok" && outcome.code === "CANCELLED");
  try {
    if (isLeft && isDetached) await open.add(id, record.owner);
    else await store.save({ ...record, response: await endedResponse(writer, outcome) });
  } catch (err) {
    logger.warn({ err, id }, "response not kept");
  }
}

/** The response as far as its events were taken. */
export async function endedResponse(writer: Writer, outcome: Outcome): Promise<ResponseView> {
  const response = (await writer.whole()) as ResponseView;
  if (outcome === "ok") return response;
  const output = cutOutput(response.output);
  if (outcome === "left" || outcome.code === "CANCELLED") return { ...response, output, status: "cancelled" };
  return { ...response, output, ...failedWith(outcome) };
}
