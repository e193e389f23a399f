import type { Logger, WorkerMessage } from "@rhone/common";
import type { StepCurve } from "@rhone/planner";
import type { Member } from "../planner/member.js";

/** Decode rows per step that workers time. */
const ROWS = [1, 2, 4, 8, 16, 32];
/** A worker that needs longer is planned for as the others are. */
const WITHIN_MS = 15_000;

/** Has workers time the shards they hold, once. */
export class Calibrations {
  readonly #logger: Logger;
  readonly #pending = new Map<number, (curve: StepCurve) => void>();
  #last = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Sets `calibration` of each member of a plan that lacks it, or lacks the head that it holds now. All at once, because
   * workers of one machine share its memory bandwidth; then those of each machine in turn, for what a single stream gets.
   * Rejects with the signal's reason when it aborts.
   */
  async complete(members: readonly Member[], signal: AbortSignal): Promise<void> {
    const due = members.filter(({ calibration, shard }) => !calibration || (shard?.heads && !calibration.head));
    const curves = await Promise.all(due.map((member) => this.#time(member, ROWS, signal)));
    const machines = new Set(due.map(({ hostname }) => hostname));
    const alone = new Map<Member, StepCurve>();
    await Promise.all([...machines].map((hostname) => this.#timeAlone(hostname, { members, due, alone, signal })));
    for (const [index, member] of due.entries()) {
      const curve = curves[index] ?? [];
      if (curve.length === 0) this.#logger.warn({ worker: member.worker }, "the worker could not time its layers");
      else {
        const single = alone.get(member) ?? [];
        member.calibration = {
          curve,
          alone: single.length > 0 ? single : curve.slice(0, 1),
          head: member.shard?.heads ?? false,
        };
      }
    }
  }

  hear({ calibrated }: WorkerMessage): void {
    const times = calibrated?.stepTimes ?? [];
    const curve = times.map(({ rows, layerMs, headMs }) => ({
      rows: rows ?? 0,
      layerMs: layerMs ?? 0,
      headMs: headMs ?? 0,
    }));
    this.#pending.get(calibrated?.calibration ?? 0)?.(curve);
  }

  /** A worker that is the only one of its machine has been alone already. */
  async #timeAlone(
    hostname: string,
    {
      members,
      due,
      alone,
      signal,
    }: {
      readonly members: readonly Member[];
      readonly due: readonly Member[];
      readonly alone: Map<Member, StepCurve>;
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    if (members.filter((member) => member.hostname === hostname).length < 2) return;
    for (const member of due) {
      if (member.hostname === hostname) alone.set(member, await this.#time(member, ROWS.slice(0, 1), signal));
    }
  }

  /** Empty when the worker does not answer in time. */
  async #time(member: Member, rows: readonly number[], signal: AbortSignal): Promise<StepCurve> {
    const calibration = ++this.#last;
    const ended = AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]);
    const curve = await new Promise<StepCurve>((resolve) => {
      this.#pending.set(calibration, resolve);
      ended.addEventListener("abort", () => resolve([]), { once: true });
      member.send({ calibrate: { calibration, rows: [...rows] } });
    });
    this.#pending.delete(calibration);
    signal.throwIfAborted();
    return curve;
  }
}
