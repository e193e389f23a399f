import { Stillness } from "@rhone/common";

const LOOK_MS = 1000;

export interface RedisWatch {
  /** Settles when Redis has answered, with whatever. */
  readonly ping: () => Promise<unknown>;
  readonly hungAfterMs: number;
  /** Called once. */
  readonly onHung: () => void;
}

/** Pings Redis every second, one ping at a time, and reports it when none was answered for `hungAfterMs`. */
export function watchRedis({ ping, hungAfterMs, onHung }: RedisWatch): void {
  const stillness = new Stillness();
  let answers = 0;
  let isAsked = false;
  const answered = (): void => {
    answers += 1;
    isAsked = false;
  };
  const timer = setInterval(() => {
    if (stillness.look(answers) * LOOK_MS >= hungAfterMs) {
      clearInterval(timer);
      return onHung();
    }
    if (isAsked) return;
    isAsked = true;
    ping().then(answered, answered);
  }, LOOK_MS);
  timer.unref();
}
