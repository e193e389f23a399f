import { Stillness } from "@rhone/common";

const LOOK_MS = 500;

export interface RedisWatch {
  /** Settles when Redis has answered, with whatever. */
  readonly ping: () => Promise<unknown>;
  readonly hungAfterMs: number;
  /** Called at each look from a quarter of that on, while it may still be woken. */
  readonly onLate: () => void;
  /** Called once. */
  readonly onHung: () => void;
}

/** Pings Redis twice a second, one ping at a time, and reports it when none was answered for `hungAfterMs`. */
export function watchRedis({ ping, hungAfterMs, onLate, onHung }: RedisWatch): void {
  const stillness = new Stillness();
  let answers = 0;
  let isAsked = false;
  const answered = (): void => {
    answers += 1;
    isAsked = false;
  };
  const timer = setInterval(() => {
    const still = stillness.look(answers);
    if (still >= Math.ceil(hungAfterMs / LOOK_MS / 4)) onLate();
    if (still * LOOK_MS >= hungAfterMs) {
      clearInterval(timer);
      return onHung();
    }
    if (isAsked) return;
    isAsked = true;
    ping().then(answered, answered);
  }, LOOK_MS);
  timer.unref();
}
