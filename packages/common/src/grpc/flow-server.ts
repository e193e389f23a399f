import type { handleBidiStreamingCall } from "@grpc/grpc-js";
import { RhoneError } from "../errors/rhone-error.js";
import type { Peer } from "../security/peer.js";
import { peerOf } from "../security/security.js";
import { bytesFrom, connectionOf } from "./connection-of.js";
import { toGrpcStatus } from "./error-status.js";
import { LOOK_MS } from "./frame-link.js";
import type { Frame, Heard } from "./services.js";

/** Looks without a byte after which the sender is gone: 15 s, far longer than it waits itself. */
const GONE_LOOKS = 30;

/** The sending end of one hop. */
export interface FrameSender {
  /** Null where certificates don't tell. */
  readonly peer: Peer | null;
  /** Ends the stream with the error; no frame of it is accepted after that. */
  readonly refuse: (error: RhoneError) => void;
}

/** The receiving end of one hop. */
export interface FrameReceiver {
  /**
   * Called with each frame, in order; the next one is not read before what this returns has resolved. The frame's bytes
   * are views of the received message and stay valid. A failure ends the stream with it, and nothing else.
   */
  readonly accept: (frame: Frame) => void | Promise<void>;
  /** Called once, when the sender has ended the stream or is gone. */
  readonly ended?: () => void;
}

/**
 * The handler of rhone.v1.Pipeline/Flow. `open` makes the receiver of each stream that a sender opens. The sender is
 * told that it is heard as long as bytes of it come, of whole frames or parts of a long one: a link that is slow is not
 * taken for a silent one.
 */
export function flowHandler(open: (sender: FrameSender) => FrameReceiver): handleBidiStreamingCall<Frame, Heard> {
  return (stream) => {
    let isRefused = false;
    const refuse = (error: RhoneError): void => {
      if (!isRefused) stream.emit("error", toGrpcStatus(error));
      isRefused = true;
    };
    const fail = (error: unknown): void =>
      refuse(error instanceof RhoneError ? error : new RhoneError("INTERNAL", `A frame was not accepted: ${error}.`));
    const { accept, ended } = open({ peer: peerOf(stream), refuse });
    const connection = connectionOf(stream);
    let bytes = 0;
    let looksUnheard = 0;
    const hearing = setInterval(() => {
      const before = bytes;
      bytes = bytesFrom(connection);
      looksUnheard = bytes > before ? 0 : looksUnheard + 1;
      if (looksUnheard === 0 && !isRefused) stream.write({});
      if (looksUnheard >= GONE_LOOKS) connection?.destroy();
    }, LOOK_MS);
    stream.on("data", (frame: Frame) => {
      if (isRefused) return;
      try {
        const accepting = accept(frame);
        if (accepting === undefined) return;
        stream.pause();
        accepting.then(() => stream.resume(), fail);
      } catch (error) {
        fail(error);
      }
    });
    stream.once("end", () => {
      clearInterval(hearing);
      stream.end();
    });
    stream.on("error", () => {}); // "close" follows
    stream.once("close", () => {
      clearInterval(hearing);
      ended?.();
    });
  };
}
