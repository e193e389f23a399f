import type { Ack, Frame } from "./services.js";

const FRAMES_PER_ACK = 16;

/** Acknowledges the frames of a Flow stream, called with each that is queued. One acknowledgement stands for all before it. */
export function acknowledger(stream: { write(ack: Ack): unknown }): (frame: Frame) => void {
  let unacknowledged = 0;
  return ({ step }) => {
    if (++unacknowledged < FRAMES_PER_ACK) return;
    unacknowledged = 0;
    stream.write({ step: step ?? 0 });
  };
}
