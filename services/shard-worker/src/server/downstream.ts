import { type Frame, FrameLink, type RhoneError, type Security } from "@rhone/common";
import type { EpochOrder } from "../wire/read-order.js";
import { WayTrial, type WayTrialOptions } from "./way-trial.js";

export interface DownstreamEvents {
  /** At most once. `isBarred`: another connection would not help. */
  readonly broken: (error: RhoneError, isBarred: boolean) => void;
  /** At most once: the neighbour can be reached without the detour. */
  readonly proven: () => void;
}

/** A stage's way to the next one, for one epoch: straight, or over the coordinator. */
export class Downstream {
  readonly #link: FrameLink;
  /** The stage that the coordinator sends frames on to; 0: it is their receiver or has nothing to do with them. */
  readonly #toStage: number;
  /** Of the straight way, beside a detour. */
  readonly #trial: WayTrial | null;

  constructor(
    { next, nextWorker, stage, detour }: EpochOrder,
    { security, events }: { readonly security: Security; readonly events: DownstreamEvents },
  ) {
    const coordinator = { role: "coordinator" } as const;
    const neighbour = { role: "worker", name: nextWorker } as const;
    const expect = nextWorker === "" || detour !== null ? coordinator : neighbour;
    const peer = detour === null ? "the next stage" : "the coordinator";
    this.#link = new FrameLink({ address: detour?.by ?? next, security, expect, peer, onBroken: events.broken });
    this.#toStage = detour === null ? 0 : stage + 1;
    const open: WayTrialOptions["open"] = (on) =>
      new FrameLink({ address: next, security, expect: neighbour, peer: "the next stage", ...on });
    this.#trial = detour && new WayTrial({ open, provenMs: detour.provenMs, onProven: () => events.proven() });
  }

  /** As FrameLink.send. */
  send(frame: Frame, sent?: () => void): void {
    this.#link.send({ ...frame, toStage: this.#toStage }, sent);
  }

  close(): void {
    this.#link.close();
    this.#trial?.close();
  }
}
