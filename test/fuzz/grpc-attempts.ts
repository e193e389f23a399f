import fc from "fast-check";
import {
  damaged,
  fuzzedFrame,
  fuzzedHeartbeat,
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

/** Methods that take messages, by who serves them. */
export type GrpcMethod = "coordinator join" | "coordinator beat" | "coordinator flow" | "worker flow";

/** Attempts on every method. A third of the callers have no credential, or a wrong one. */
export function grpcAttempts(place: Place): fc.Arbitrary<GrpcAttempt> {
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
  return fc.oneof(
    of("coordinator join", fuzzedWorkerMessage, 5),
    of("coordinator beat", fuzzedHeartbeat, 1),
    of("coordinator flow", fuzzedFrame(place), 5),
    { weight: 2, arbitrary: of("worker flow", fuzzedFrame(place), 5) },
  );
}
