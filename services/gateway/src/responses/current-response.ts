import { RhoneError } from "@rhone/common";
import { failedWith } from "../answers/response-object.js";
import { addressesOf } from "../answers/stream-records.js";
import type { GenerationClient } from "../queue/generation-client.js";
import type { OpenResponses } from "./open-responses.js";
import { isLost, isOver, type ResponseRecord, type ResponseView } from "./response-record.js";

/** A stored response as it is now: queued until it has a token. Throws REDIS_UNAVAILABLE. */
export async function currentResponse(
  client: Pick<GenerationClient, "logLength">,
  record: ResponseRecord,
): Promise<ResponseView> {
  const { response, generation } = record;
  if (isOver(record) || generation === undefined) return response;
  if (isLost(record))
    return {
      ...response,
      ...failedWith(new RhoneError("WORKER_LOST", "The gateway that served it stopped; send it again.")),
    };
  const [job] = addressesOf(generation);
  const events = job === undefined ? 0 : await client.logLength(job);
  return events === 0 ? response : { ...response, status: "in_progress" };
}

/**
 * Has a gateway finish the record of a stream that has ended: the gateway that served it died before it kept the
 * answer. Throws REDIS_UNAVAILABLE, and RECORD_UNREADABLE.
 */
export async function finishOrphan(
  {
    client,
    openResponses,
  }: { readonly client: Pick<GenerationClient, "hasEnded">; readonly openResponses: OpenResponses },
  { response, owner, generation }: ResponseRecord,
): Promise<void> {
  const [job] = generation === undefined ? [] : addressesOf(generation);
  if (response.background || job === undefined || !(await client.hasEnded(job))) return;
  await openResponses.add(response.id, owner);
}
