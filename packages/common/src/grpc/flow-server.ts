import type { handleClientStreamingCall } from "@grpc/grpc-js";
import type { FlowEnd, Frame } from "./services.js";

/** The receiving end of one hop. */
export interface FrameReceiver {
  /** Called with each frame, in order. The frame's bytes are views of the received message and stay valid. */
  readonly accept: (frame: Frame) => void;
  /** Called once, when the sender has ended the stream or is gone. */
  readonly ended?: () => void;
}

/** The handler of rhone.v1.Pipeline/Flow. `open` makes the receiver of each stream that a sender opens. */
export function flowHandler(open: () => FrameReceiver): handleClientStreamingCall<Frame, FlowEnd> {
  return (stream, answer) => {
    const { accept, ended } = open();
    stream.on("data", accept);
    stream.once("end", () => {
      answer(null, {});
      stream.destroy();
    });
    stream.on("error", () => {}); // "close" follows
    stream.once("close", () => ended?.());
  };
}
