import type { Logger, WorkerMessage } from "@rhone/common";
import { CALIBRATED_ROWS, type Calibration, mergeCalibrations, type StepCurve } from "@rhone/planner";
import type { Member } from "./member.js";

/** What a worker measured; the curve is empty when it could not, or not in time. */
interface Timed {
  readonly curve: StepCurve;
  readonly waited: number;
}

const ONE_ROW = [1];
/** A worker that needs longer is planned for as the others are. */
const WITHIN_MS = 15_000;

/** Has workers time the shards they hold, once. */
export class Calibrations {
  readonly #logger: Logger;
  /** By the kind of worker: their times, and how many of that kind there were then. */
  readonly #known = new Map<string, { readonly calibration: Calibration; readonly workers: number }>();
  readonly #pending = new Map<number, { readonly member: Member; readonly resolve: (timed: Timed) => void }>();
  #last = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Calibrates each member that is not calibrated, or not with the head that it holds now. All of them time themselves
   * at once, because the workers of one machine share its memory bandwidth; then those of each machine one by one, for
   * the speed of a single stream. Workers of one kind on one machine count as equally fast, so one that takes another's
   * place has its times. Rejects with the signal's reason when it aborts.
   */
  async complete(members: readonly Member[], signal: AbortSignal): Promise<void> {
    for (const alike of partition(members, ({ kind }) => kind)) this.#remember(alike);
    const due = new Set(members.filter(isDue));
    if (due.size === 0) return;
    const timed = members.filter((member) => due.has(member));
    const together = await Promise.all(timed.map((member) => this.#time(member, CALIBRATED_ROWS, signal)));
    const timesOf = new Map(timed.map((member, index) => [member, together[index] ?? NOT_TIMED]));
    await Promise.all(
      partition(members, ({ hostname }) => hostname).map(async (neighbours) => {
        for (const member of neighbours.filter((each) => due.has(each))) {
          const all = timesOf.get(member) ?? NOT_TIMED;
          // A machine's only worker was alone already.
          const isAlone = neighbours.length === 1;
          const alone = isAlone ? { ...all, curve: all.curve.slice(0, 1) } : await this.#time(member, ONE_ROW, signal);
          member.calibration = this.#calibration(member, all.curve, alone);
        }
      }),
    );
    for (const alike of partition(members, ({ kind }) => kind)) this.#share(alike);
  }

  /** One more of a kind than before takes a part of what the others had, and is timed. */
  #remember(alike: readonly Member[]): void {
    const known = this.#known.get(alike[0]?.kind ?? "");
    if (known === undefined || alike.length > known.workers) return;
    for (const member of alike) member.calibration ??= known.calibration;
  }

  #share(alike: readonly Member[]): void {
    const timed = alike.flatMap(({ calibration }) => (calibration === null ? [] : [calibration]));
    if (timed.length === 0) return;
    const calibration = mergeCalibrations(timed);
    for (const member of alike) {
      member.calibration = calibration;
      this.#known.set(member.kind, { calibration, workers: alike.length });
    }
  }

  /** Takes a worker's times; those that are no times count as none. */
  receive(member: Member, { calibrated }: WorkerMessage): void {
    const pending = this.#pending.get(calibrated?.calibration ?? 0);
    if (pending?.member !== member) return; // another worker's, or late
    const times = calibrated?.stepTimes ?? [];
    const curve = times.map(({ rows, layerMs, headMs }) => ({
      rows: rows ?? 0,
      layerMs: layerMs ?? 0,
      headMs: headMs ?? 0,
    }));
    const waited = calibrated?.waited ?? 0;
    const isTimed = [waited, ...curve.flatMap(({ layerMs, headMs }) => [layerMs, headMs])].every(isTime);
    pending.resolve(isTimed ? { curve, waited } : NOT_TIMED);
  }

  #calibration(member: Member, curve: StepCurve, { curve: alone, waited }: Timed): Calibration | null {
    if (curve.length > 0 && alone.length > 0) return { curve, alone, head: headsOf(member), waited };
    this.#logger.warn({ worker: member.worker }, "the worker could not time its layers");
    return null;
  }

  /** NOT_TIMED when the worker does not answer in time. */
  async #time(member: Member, rows: readonly number[], signal: AbortSignal): Promise<Timed> {
    const calibration = ++this.#last;
    const ended = AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]);
    const timed = await new Promise<Timed>((resolve) => {
      this.#pending.set(calibration, { member, resolve });
      ended.addEventListener("abort", () => resolve(NOT_TIMED), { once: true });
      member.send({ calibrate: { calibration, rows: [...rows] } });
    });
    this.#pending.delete(calibration);
    signal.throwIfAborted();
    return timed;
  }
}

const isTime = (value: number): boolean => value >= 0 && Number.isFinite(value);

const NOT_TIMED: Timed = { curve: [], waited: 0 };

/** Whether the member holds the head, or will in the next epoch. */
const headsOf = ({ shard, coming }: Member): boolean => (coming ?? shard)?.heads ?? false;

/** Whether it has to be timed before its times are known. */
export const isDue = (member: Member): boolean =>
  member.calibration === null || (headsOf(member) && !member.calibration.head);

function partition<T>(items: readonly T[], key: (item: T) => string): readonly (readonly T[])[] {
  const parts = new Map<string, T[]>();
  for (const item of items) parts.set(key(item), [...(parts.get(key(item)) ?? []), item]);
  return [...parts.values()];
}
