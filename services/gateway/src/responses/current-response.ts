import { RhoneError } from "@rhone/common";
import { failedWith } from "../answers/response-object.js";
import { addressesOf } from "../answers/stream-records.js";
import type { GenerationClient } from "../queue/generation-client.js";
import { isOver, type ResponseRecord, type ResponseView } from "./response-record.js";

/** An unfinished response counts as lost this long after its deadline. */
const LOST_AFTER_MS = 60_000;

/** A stored response as it is now: queued until it has a token. Throws REDIS_UNAVAILABLE. */
export async function currentResponse(
  client: Pick<GenerationClient, "logLength">,
  record: ResponseRecord,
): Promise<ResponseView> {
  const { response, generation } = record;
  if (isOver(record) || generation === undefined) return response;
  if (Date.now() > generation.deadlineAtMs + LOST_AFTER_MS)
    return {
      ...response,
      ...failedWith(new RhoneError("WORKER_LOST", "The gateway that served it stopped; send it again.")),
    };
  const [job] = addressesOf(generation);
  const events = job === undefined ? 0 : await client.logLength(job);
  return events === 0 ? response : { ...response, status: "in_progress" };
}
