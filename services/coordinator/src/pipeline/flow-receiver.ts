import type { ServerDuplexStream } from "@grpc/grpc-js";
import { type Ack, acknowledger, type Frame, RhoneError } from "@rhone/common";
import type { Epoch } from "./epoch.js";

/** Serves rhone.v1.Pipeline/Flow for the last stage: acknowledges its frames and hands them to the epoch they belong to. */
export function receiveFlow(stream: ServerDuplexStream<Frame, Ack>, current: () => Epoch | null): void {
  let owner: Epoch | null = null;
  const ended = (): void => {
    owner?.break(new RhoneError("WORKER_LOST", "The last stage's connection to the coordinator ended."));
    stream.end();
  };
  const acknowledge = acknowledger(stream);
  stream.on("data", (frame: Frame) => {
    acknowledge(frame);
    const epoch = current();
    if (epoch === null || !epoch.owns(frame)) return;
    owner = epoch;
    epoch.accept(frame);
  });
  stream.on("end", ended);
  stream.on("cancelled", ended);
  stream.on("error", ended);
}
