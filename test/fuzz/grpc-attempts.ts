import fc from "fast-check";
import {
  damaged,
  type FuzzedFile,
  fuzzedFrame,
  fuzzedHeartbeat,
  fuzzedWeights,
  fuzzedWorkerMessage,
  type Place,
} from "../../packages/common/src/testing/fuzzed-messages.js";

/** A call of a method of a cluster's own, with any bytes for its messages. */
export interface GrpcAttempt {
  readonly method: GrpcMethod;
  readonly credential: "right" | "wrong" | "none";
  readonly messages: readonly Buffer[];
  /** Whether the caller ends the stream, or drops it in the middle. */
  readonly isDropped: boolean;
}

type WeightsMethod = "describe" | "hash" | "read";

/** Methods by who serves them. */
export type GrpcMethod = `coordinator ${"join" | "beat" | "flow" | WeightsMethod}` | `worker ${"flow" | WeightsMethod}`;

/** Attempts on every method. A third of the callers have no credential, or a wrong one. */
export function grpcAttempts(place: Place, file: FuzzedFile): fc.Arbitrary<GrpcAttempt> {
  const of = (method: GrpcMethod, whole: fc.Arbitrary<Uint8Array>, most: number) =>
    fc.record({
      method: fc.constant(method),
      credential: fc.oneof(
        { weight: 4, arbitrary: fc.constant("right" as const) },
        { weight: 1, arbitrary: fc.constant("wrong" as const) },
        { weight: 1, arbitrary: fc.constant("none" as const) },
      ),
      messages: fc.array(damaged(whole), { minLength: most === 1 ? 1 : 0, maxLength: most }),
      isDropped: fc.boolean(),
    });
  const weights = (["coordinator", "worker"] as const).flatMap((server) =>
    Object.entries(fuzzedWeights(file)).map(([name, query]) => of(`${server} ${name as WeightsMethod}`, query, 1)),
  );
  return fc.oneof(
    { weight: 1, arbitrary: fc.oneof(...weights) },
    of("coordinator join", fuzzedWorkerMessage, 5),
    of("coordinator beat", fuzzedHeartbeat, 1),
    of("coordinator flow", fuzzedFrame(place), 5),
    { weight: 2, arbitrary: of("worker flow", fuzzedFrame(place), 5) },
  );
}
