import { type Frame, FrameLink, type RhoneError, type Security } from "@rhone/common";
import type { Member } from "../workers/member.js";

export interface RelayOptions {
  readonly security: Security;
  /** The stage that the frames are for. */
  readonly stage: number;
  readonly to: Pick<Member, "worker" | "address">;
  readonly onBroken: (error: RhoneError) => void;
  /** Told of the bytes of activations in each frame. */
  readonly onPassed: (bytes: number) => void;
}

/**
 * Passes the frames of a stage on to the next one, which does not hear it. It takes the next one when one is sent;
 * behind it gRPC's library reads up to 16 ahead, of which the micro-batches in flight are the bound.
 */
export class Relay {
  readonly #options: RelayOptions;
  #link: FrameLink | null = null;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Resolves when the frame is sent, and never once the relay is broken or closed. */
  pass(frame: Frame): Promise<void> {
    const link = this.#connect();
    this.#options.onPassed(frame.stepBody?.hidden?.byteLength ?? 0);
    return new Promise((resolve) => link.send(frame, resolve));
  }

  close(): void {
    this.#link?.close();
  }

  #connect(): FrameLink {
    const { security, stage, to, onBroken } = this.#options;
    const expect = { role: "worker", name: to.worker } as const;
    this.#link ??= new FrameLink({ address: to.address, security, expect, peer: `stage ${stage}`, onBroken });
    return this.#link;
  }
}
