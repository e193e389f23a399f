import type { Client, ClientWritableStream, ServiceError } from "@grpc/grpc-js";
import { RhoneError } from "../errors/rhone-error.js";
import type { Expected, Security } from "../security/security.js";
import { openChannel } from "./channel.js";
import { fromGrpcError } from "./error-status.js";
import { type Frame, pipelineService } from "./services.js";

/** Time for three more SYN packets when the first is lost; the kernel alone would give up after two minutes. */
const CONNECT_WITHIN_MS = 10_000;

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
   * the stream.
   */
  readonly onBroken: (error: RhoneError) => void;
}

/**
 * The sending end of one hop, for one epoch: frames arrive in the order in which they were sent. It breaks once and
 * does not reconnect; the next epoch opens another. Frames that the receiver has not read wait in memory; the scheduler
 * limits their number by the micro-batches that it keeps in flight.
 */
export class FrameLink {
  readonly #client: Client;
  readonly #stream: ClientWritableStream<Frame>;
  #open = true;

  constructor({ address, security, expect, peer, onBroken }: FrameLinkOptions) {
    const { path, requestSerialize, responseDeserialize } = pipelineService.flow;
    const receiver = `${peer} at ${address}`;
    const broken = (error: RhoneError): void => {
      if (!this.#open) return;
      this.close();
      onBroken(error);
    };
    const lost = (why: string): RhoneError =>
      new RhoneError("WORKER_LOST", `The connection to ${receiver} failed: ${why}.`);
    const ended = (error: ServiceError | null): void =>
      broken(error === null ? lost("it ended the stream") : fromGrpcError(error, receiver));
    this.#client = openChannel(address, { security, expect, ownConnection: true });
    this.#stream = this.#client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, ended);
    this.#client.waitForReady(Date.now() + CONNECT_WITHIN_MS, (error) => {
      if (error != null) broken(lost(`nobody answered within ${CONNECT_WITHIN_MS / 1000} s`));
    });
  }

  /** Borrows the frame's bytes until they are sent. Does nothing once the link is broken or closed. */
  send(frame: Frame): void {
    if (this.#open) this.#stream.write(frame);
  }

  /** Drops frames that are not sent yet. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stream.cancel();
    this.#client.close();
  }
}
