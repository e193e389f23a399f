import type { handleClientStreamingCall } from "@grpc/grpc-js";
import type { RhoneError } from "../errors/rhone-error.js";
import type { Peer } from "../security/peer.js";
import { peerOf } from "../security/security.js";
import { toGrpcStatus } from "./error-status.js";
import type { FlowEnd, Frame } from "./services.js";

/** The sending end of one hop. */
export interface FrameSender {
  /** Null where certificates don't tell. */
  readonly peer: Peer | null;
  /** Ends the stream with the error; no frame of it is accepted after that. */
  readonly refuse: (error: RhoneError) => void;
}

/** The receiving end of one hop. */
export interface FrameReceiver {
  /** Called with each frame, in order. The frame's bytes are views of the received message and stay valid. */
  readonly accept: (frame: Frame) => void;
  /** Called once, when the sender has ended the stream or is gone. */
  readonly ended?: () => void;
}

/** The handler of rhone.v1.Pipeline/Flow. `open` makes the receiver of each stream that a sender opens. */
export function flowHandler(open: (sender: FrameSender) => FrameReceiver): handleClientStreamingCall<Frame, FlowEnd> {
  return (stream, answer) => {
    let isRefused = false;
    const refuse = (error: RhoneError): void => {
      if (!isRefused) answer(toGrpcStatus(error));
      isRefused = true;
    };
    const { accept, ended } = open({ peer: peerOf(stream), refuse });
    stream.on("data", (frame: Frame) => {
      if (!isRefused) accept(frame);
    });
    stream.once("end", () => {
      if (!isRefused) answer(null, {});
      stream.destroy();
    });
    stream.on("error", () => {}); // "close" follows
    stream.once("close", () => ended?.());
  };
}
