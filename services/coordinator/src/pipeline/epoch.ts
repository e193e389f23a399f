import { setTimeout as delay } from "node:timers/promises";
import {
  clipped,
  crash,
  type Frame,
  FrameLink,
  type FrameSender,
  parseErrorCode,
  RhoneError,
  type Security,
  toRhoneError,
} from "@rhone/common";
import type { PipelineTimes } from "@rhone/planner";
import type { rhone } from "@rhone/proto";
import type { StepLink } from "../engine/step-loop.js";
import { decodeError } from "../wire/decode-result.js";
import type { Member } from "../workers/member.js";
import { Relay } from "./relay.js";
import type { Hop, Routes } from "./routes.js";

/** How long a new pipeline may take to pass a probe through all stages, and how often one is sent. */
const PROBE_WITHIN_MS = 60_000;
const PROBE_AGAIN_MS = 50;

export interface EpochListener {
  /** The result of the oldest step in flight. Throws STAGE_FAILED when it is of another step or incomplete. */
  result(step: number, result: rhone.v1.StepResult.$Properties): void;
  /** The last stage has prepared the grammar of a sequence, or has refused it with `error`. */
  prepared(wireId: number, error: RhoneError | null): void;
}

/** One membership of one pipeline: the frames that go into it and come out of it. It breaks once and is over then. */
export class Epoch implements StepLink {
  readonly number: number;
  readonly stages: number;
  readonly pages: number;
  readonly rowBlock: number;
  /** Null until the shards are timed; see PipelineShape. */
  stepTimes: PipelineTimes | null = null;
  readonly #pipeline: string;
  readonly #security: Security;
  readonly #members: readonly Member[];
  readonly #listener: EpochListener;
  readonly #routes: Pick<Routes, "detourOf" | "closed" | "opened">;
  readonly #onRelayed: (bytes: number) => void;
  readonly #ending = new AbortController();
  /** By the stage that they send to. */
  readonly #relays = new Map<number, Relay>();
  #link: FrameLink | null = null;
  #step = 0;
  #probed: ((workers: readonly string[]) => void) | null = null;

  constructor(options: {
    readonly pipeline: string;
    readonly number: number;
    readonly security: Security;
    readonly pages: number;
    /** In stage order. */
    readonly members: readonly Member[];
    readonly listener: EpochListener;
    readonly routes: Pick<Routes, "detourOf" | "closed" | "opened">;
    /** Told of the bytes of activations that are passed on between two stages. */
    readonly onRelayed: (bytes: number) => void;
  }) {
    const { members } = options;
    this.number = options.number;
    this.stages = members.length;
    this.pages = options.pages;
    this.rowBlock = Math.max(...members.map(({ rowBlock }) => rowBlock));
    this.#pipeline = options.pipeline;
    this.#security = options.security;
    this.#members = members;
    this.#listener = options.listener;
    this.#routes = options.routes;
    this.#onRelayed = options.onRelayed;
  }

  /** Aborts with a RhoneError when the epoch is over. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Resolves with the reason when the epoch is over. */
  get over(): Promise<RhoneError> {
    return new Promise((resolve) => {
      if (this.signal.aborted) resolve(this.signal.reason);
      else this.signal.addEventListener("abort", () => resolve(this.signal.reason), { once: true });
    });
  }

  includes(member: Member): boolean {
    return this.#members.includes(member);
  }

  /**
   * Tells every stage of the epoch, the last one first: a stage should know of it before its upstream neighbour sends.
   * `address`: host:port where the last stage sends its results.
   */
  open(address: string, activationType: rhone.v1.ActivationType): void {
    for (const [stage, member] of [...this.#members.entries()].reverse()) {
      const [before, after] = [this.#members[stage - 1], this.#members[stage + 1]];
      const neighbours = {
        next: after?.address ?? address,
        nextWorker: after?.worker ?? "",
        upstream: this.#detourAfter(stage - 1) === null ? (before?.worker ?? "") : "",
      };
      const provenMs = this.#detourAfter(stage);
      if (provenMs !== null && after !== undefined) this.#relays.set(stage + 1, this.#relayTo(stage + 1, after));
      const detour = provenMs === null ? null : { by: address, provenMs };
      const place = { pipeline: this.#pipeline, epoch: this.number, stage, activationType };
      member.send({ epoch: { ...place, ...neighbours, detour } });
    }
  }

  /** The stages whose frames go over the coordinator to the next one. */
  get detours(): readonly number[] {
    return [...this.#relays.keys()].map((stage) => stage - 1).sort((a, b) => a - b);
  }

  /** Whether frames make a detour though the way that it avoids has opened. */
  get isDetourNeedless(): boolean {
    return this.detours.some((stage) => this.#detourAfter(stage) === null);
  }

  #hopAfter(stage: number): Hop | null {
    const [from, to] = [this.#members[stage], this.#members[stage + 1]];
    return from === undefined || to === undefined ? null : { from, to };
  }

  #detourAfter(stage: number): number | null {
    const hop = this.#hopAfter(stage);
    return hop && this.#routes.detourOf(hop);
  }

  #relayTo(stage: number, to: Member): Relay {
    const onBroken = ({ message }: RhoneError): void => this.#lost(stage - 1, `over the coordinator: ${message}`);
    return new Relay({ security: this.#security, stage, to, onBroken, onPassed: this.#onRelayed });
  }

  /**
   * A stage has lost the connection to the next one, or can't open it, while both may live. Where the two do not reach
   * each other, the next epoch's frames make a detour.
   */
  linkBroken(member: Member, broken: rhone.v1.LinkBroken.$Properties): void {
    const stage = this.#members.indexOf(member);
    if (stage < 0 || !this.owns(broken) || this.signal.aborted) return;
    const hop = this.#hopAfter(stage);
    const isNews = hop !== null && broken.barred === true && !this.#relays.has(stage + 1);
    const reason = clipped(broken.message);
    if (isNews) this.#routes.closed(hop, reason);
    this.#lost(stage, reason, isNews);
  }

  /** The way from a stage to the next one is open. True: its frames make a detour that is not needed any more. */
  linkProven(member: Member, proven: rhone.v1.LinkProven.$Properties): boolean {
    const stage = this.#members.indexOf(member);
    const hop = this.#hopAfter(stage);
    if (hop === null || !this.owns(proven) || !this.#relays.has(stage + 1)) return false;
    this.#routes.opened(hop);
    return true;
  }

  break(error: RhoneError): void {
    this.#link?.close();
    this.#link = null;
    for (const relay of this.#relays.values()) relay.close();
    this.#ending.abort(error);
  }

  /** A pipeline that was ready is tried again at once, and one whose frames take another way next. */
  #lost(stage: number, reason: string, isNews = false): void {
    const code = this.#probed === null || isNews ? "WORKER_LOST" : "STAGE_FAILED";
    this.break(new RhoneError(code, `Stage ${stage} on worker ${this.#members[stage]?.worker}: ${reason}`));
  }

  /**
   * Breaks when the oldest frame without a result was sent at `since` (on the performance clock; null when there is
   * none) and no stage has finished a step for `timeoutMs`. A slow step is no reason while the stages still finish
   * steps.
   */
  checkProgress(since: number | null, timeoutMs: number): void {
    const progressedAt = Math.max(since ?? 0, ...this.#members.map(({ steppedAt }) => steppedAt));
    if (since === null || performance.now() - progressedAt < timeoutMs) return;
    this.break(new RhoneError("STAGE_FAILED", `No stage has finished a step for ${timeoutMs / 1000} s.`));
  }

  send(step: rhone.v1.Step.$Properties): number {
    this.#step++;
    this.#link?.send(this.#frame({ stepBody: step }));
    return this.#step;
  }

  /**
   * Resolves when a probe has run through every stage, in order. Each stage hears of the epoch on its own control
   * stream, so the first probes may reach one that does not know of it yet: probes are sent until one returns.
   */
  async probe(): Promise<void> {
    const returned = new Promise<readonly string[]>((resolve) => {
      this.#probed = resolve;
    });
    const deadline = AbortSignal.timeout(PROBE_WITHIN_MS);
    const signal = AbortSignal.any([this.signal, deadline]);
    for (;;) {
      this.#connect();
      this.#step++;
      this.#link?.send(this.#frame({ probe: { workers: [] } }));
      const workers = await Promise.race([returned, delay(PROBE_AGAIN_MS, null, { signal }).catch(() => null)]);
      this.signal.throwIfAborted();
      if (workers !== null) return this.#checkRoute(workers);
      if (deadline.aborted) {
        const stages = `the workers ${this.#workers.join(", ")}`;
        throw new RhoneError("STAGE_FAILED", `No probe returned through ${stages} within ${PROBE_WITHIN_MS / 1000} s.`);
      }
    }
  }

  /** Takes a frame of the last stage. Late frames of another pipeline or epoch are dropped. */
  accept(frame: Frame): void {
    if (!this.owns(frame) || this.signal.aborted) return;
    const step = frame.step ?? 0;
    if (frame.probe != null) this.#probed?.(frame.probe.workers ?? []);
    else if (frame.failure != null) this.#fail(frame.failure);
    else if (frame.result != null) this.#record(step, frame.result);
    else if (frame.ready != null) this.#listener.prepared(frame.ready.sequence ?? 0, decodeError(frame.ready.error));
  }

  /** Passes a frame on to the stage that it is for. Resolves when it is sent; the next one must wait until then. */
  async relay(frame: Frame): Promise<void> {
    if (this.owns(frame) && !this.signal.aborted) await this.#relays.get(frame.toStage ?? 0)?.pass(frame);
  }

  owns(frame: Pick<Frame, "pipeline" | "epoch">): boolean {
    return frame.pipeline === this.#pipeline && frame.epoch === this.number;
  }

  /** Why the sender of a frame can't be the stage that sends such; null when it is, or when certificates don't tell. */
  notItsSender({ toStage }: Frame, { peer }: Pick<FrameSender, "peer">): RhoneError | null {
    const sender = this.#members.at(toStage ? toStage - 1 : -1)?.worker;
    if (peer === null || (peer.role === "worker" && peer.name === sender)) return null;
    const what = toStage ? `frames for stage ${toStage}` : "results";
    const found = `${peer.role} ${peer.name}`;
    return new RhoneError(
      "FORBIDDEN_PEER",
      `Epoch ${this.number} takes ${what} of worker ${sender} only; this sender is ${found}.`,
    );
  }

  /** A malformed result ends the epoch; a broken invariant of this process ends the process as well. */
  #record(step: number, result: rhone.v1.StepResult.$Properties): void {
    try {
      this.#listener.result(step, result);
    } catch (error) {
      const named = toRhoneError(error);
      this.break(named);
      if (named.code !== "STAGE_FAILED") crash(error);
    }
  }

  #connect(): void {
    if (this.#link !== null) return;
    this.#link = new FrameLink({
      address: this.#members[0]?.address ?? "",
      security: this.#security,
      expect: { role: "worker", name: this.#members[0]?.worker },
      peer: "stage 0",
      onBroken: (error) => {
        this.#link = null;
        // While probing, stage 0 may not listen yet: the next probe connects again.
        if (this.#probed === null) this.break(error);
      },
    });
  }

  #checkRoute(workers: readonly string[]): void {
    this.#probed = null;
    if (this.#link === null) throw new RhoneError("WORKER_LOST", "Stage 0 closed its stream right after the probe.");
    if (workers.join() === this.#workers.join()) return;
    const routes = `${clipped(workers.join(", "))} instead of ${this.#workers.join(", ")}`;
    throw new RhoneError("STAGE_FAILED", `The probe ran through the workers ${routes}.`);
  }

  #fail({ code, message, worker, stage }: rhone.v1.Failure.$Properties): void {
    const name = parseErrorCode(code, "STAGE_FAILED");
    this.break(new RhoneError(name, `Stage ${stage} on worker ${clipped(worker)}: ${clipped(message)}`));
  }

  get #workers(): readonly string[] {
    return this.#members.map(({ worker }) => worker);
  }

  #frame(body: Frame): Frame {
    return { pipeline: this.#pipeline, epoch: this.number, step: this.#step, ...body };
  }
}
