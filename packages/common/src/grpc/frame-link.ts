import type { Client, ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { RhoneError } from "../errors/rhone-error.js";
import type { Expected, Security } from "../security/security.js";
import { openChannel } from "./channel.js";
import { fromGrpcError } from "./error-status.js";
import { type Frame, type Heard, pipelineService } from "./services.js";

/** Time for two more SYN packets when the first is lost; the kernel alone would give up after two minutes. */
const CONNECT_WITHIN_MS = 5000;
/** How often the sender looks for an answer, and the receiver for bytes. */
export const LOOK_MS = 500;
/** Looks without an answer after which a link is silent. Looks are counted, so that a busy sender blames nobody. */
const SILENT_LOOKS = 6;

export interface FrameLinkOptions {
  /** host:port of the receiver. */
  readonly address: string;
  readonly security: Security;
  /** Whose certificate the receiver must have. */
  readonly expect: Expected;
  /** Names the receiver in errors: "stage 0". */
  readonly peer: string;
  /**
   * Called at most once, and never after `close`. The error is WORKER_LOST, or the one with which the receiver refused
   * the stream. `isBarred`: another connection would not help, since this one did not come about or fell silent.
   */
  readonly onBroken: (error: RhoneError, isBarred: boolean) => void;
  /** Called each time that the receiver says that it hears this end. */
  readonly onHeard?: () => void;
}

/**
 * The sending end of one hop, for one epoch: frames arrive in the order in which they were sent. It breaks once and
 * does not reconnect; the next epoch opens another. Frames that the receiver has not read wait in memory; the scheduler
 * limits their number by the micro-batches that it keeps in flight.
 *
 * The receiver says twice a second that bytes have come, and gRPC's pings see to it that some do. So 3 s without a word
 * mean that one of the two directions is cut, or that the receiver hangs.
 */
export class FrameLink {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<Frame, Heard>;
  #open = true;
  #watch: NodeJS.Timeout | undefined;
  #looksUnheard = 0;

  constructor({ address, security, expect, peer, onBroken, onHeard }: FrameLinkOptions) {
    const { path, requestSerialize, responseDeserialize } = pipelineService.flow;
    const receiver = `${peer} at ${address}`;
    const broken = (error: RhoneError, isBarred = false): void => {
      if (!this.#open) return;
      this.close();
      onBroken(error, isBarred);
    };
    const lost = (why: string): RhoneError =>
      new RhoneError("WORKER_LOST", `The connection to ${receiver} failed: ${why}.`);
    this.#client = openChannel(address, { security, expect, ownConnection: true, pingMs: LOOK_MS });
    this.#stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#stream.on("data", () => {
      this.#looksUnheard = 0;
      onHeard?.();
    });
    this.#stream.on("error", (error: ServiceError) => {
      const named = fromGrpcError(error, receiver);
      broken(named, this.#watch === undefined && named.code === "WORKER_LOST");
    });
    this.#stream.on("status", () => broken(lost("it ended the stream")));
    const look = (): void => {
      if (++this.#looksUnheard < SILENT_LOOKS) return;
      broken(lost(`nothing came back for ${(SILENT_LOOKS * LOOK_MS) / 1000} s`), true);
    };
    this.#client.waitForReady(Date.now() + CONNECT_WITHIN_MS, (error) => {
      if (error != null) broken(lost(`nobody answered within ${CONNECT_WITHIN_MS / 1000} s`), true);
      else if (this.#open) this.#watch = setInterval(look, LOOK_MS);
    });
  }

  /**
   * Borrows the frame's bytes until they are sent, when `sent` is called. Does nothing once the link is broken or
   * closed.
   */
  send(frame: Frame, sent?: () => void): void {
    if (this.#open) this.#stream.write(frame, sent);
  }

  /** Drops frames that are not sent yet. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    clearInterval(this.#watch);
    this.#stream.cancel();
    this.#client.close();
  }
}
