import { setTimeout as sleep } from "node:timers/promises";
import { type ListeningSocket, RhoneError } from "@rhone/common";
import { type Addresses, ServiceProcess, type ServiceSpec, type StopTimes } from "./service-process.js";

export interface SupervisedOptions {
  /** How to start it; `previous`: the addresses of its last run, which other processes know it by. */
  readonly spec: (previous: Addresses | undefined) => ServiceSpec;
  /** A process was started, was told to end, or has ended. */
  readonly onChange: () => void;
  /** It ended unexpectedly and is about to be restarted. */
  readonly onRestart: (why: RhoneError) => void;
  /** Somebody else stopped it in order, and it is about to be started again. `title`: its name in messages. */
  readonly onStopped: (title: string) => void;
  /** It ended too often and is not restarted. */
  readonly onGiveUp: (why: RhoneError) => void;
  readonly budget?: RestartBudget;
}

/**
 * A service that is restarted, the first time at once, then after a growing pause, whenever it ends unexpectedly. One
 * that somebody else stops in order is started again at once, however often. One that retires has its successor at
 * once, and finishes what it has begun beside it.
 *
 * Of one that gives its listening socket, each successor listens on the same one: connections that arrive while there
 * is none wait, until the service is stopped or given up.
 */
export class SupervisedService {
  readonly #options: SupervisedOptions;
  readonly #budget: RestartBudget;
  readonly #stopping = new AbortController();
  #process: ServiceProcess | undefined;
  readonly #retiring = new Set<ServiceProcess>();
  #addresses: Addresses | undefined;
  #socket: ListeningSocket | undefined;

  constructor(options: SupervisedOptions) {
    this.#options = options;
    this.#budget = options.budget ?? new RestartBudget();
  }

  get process(): ServiceProcess | undefined {
    return this.#process;
  }

  /** Those that retire first. */
  get processes(): readonly ServiceProcess[] {
    return [...this.#retiring, ...(this.#process === undefined ? [] : [this.#process])];
  }

  /** Starts it and returns its addresses. A first run that ends before it listens is not restarted: `start` rejects. */
  async start(): Promise<Addresses> {
    const first = this.#succeed();
    this.#addresses = await first.listening;
    void this.#keepAlive(first);
    return this.#addresses;
  }

  async stop(times: StopTimes): Promise<void> {
    this.#stopping.abort();
    this.#closeSocket();
    await Promise.all(this.processes.map((each) => each.stop(times)));
  }

  kill(): void {
    this.#stopping.abort();
    this.#closeSocket();
    for (const each of this.processes) each.kill();
  }

  #spawn(): ServiceProcess {
    const spec = this.#options.spec(this.#addresses);
    const { socketVariable } = spec;
    const socket = this.#socket;
    const more = socketVariable === undefined ? {} : { [socketVariable]: socket === undefined ? "kept" : "given" };
    const started = ServiceProcess.start({ ...spec, env: { ...spec.env, ...more } });
    if (socket !== undefined) started.give(socket);
    this.#process = started;
    this.#options.onChange();
    void started.ending.then(() => this.#options.onChange());
    void started.ended.then(() => {
      if (this.#process === started) this.#process = undefined;
      this.#retiring.delete(started);
      this.#options.onChange();
    });
    return started;
  }

  /** Those that retire serve until one listens beside them, however many of their successors fail. */
  #succeed(): ServiceProcess {
    const started = this.#spawn();
    const listens = (): void => {
      this.#keep(started);
      for (const each of this.#retiring) if (each !== started) each.release();
    };
    started.listening.then(listens, () => {});
    return started;
  }

  #keep({ socket }: ServiceProcess): void {
    if (socket === undefined) return;
    if (this.#socket === undefined && !this.#stopping.signal.aborted) this.#socket = socket;
    else socket.close();
  }

  /** Connections that wait are refused from now on, unless one that listens takes them. */
  #closeSocket(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #giveUp(why: RhoneError): RhoneError {
    const { most, withinMs } = this.#budget.limits;
    const times = `It was restarted ${most} times within ${withinMs / 1000} s and is given up.`;
    return new RhoneError(why.code, `${why.message}\n${times}`, { cause: why });
  }

  async #keepAlive(first: ServiceProcess): Promise<void> {
    let current = first;
    while (!this.#stopping.signal.aborted) {
      const why = await Promise.race([current.ended, current.retiring.then(() => null)]);
      if (this.#stopping.signal.aborted) return;
      if (why === null) {
        this.#retiring.add(current);
        current = this.#succeed();
        continue;
      }
      if (current.endedInOrder) {
        this.#options.onStopped(current.title);
        current = this.#succeed();
        continue;
      }
      const delayMs = this.#budget.next(performance.now());
      if (delayMs === null) {
        this.#closeSocket();
        return this.#options.onGiveUp(this.#giveUp(why));
      }
      this.#options.onRestart(why);
      await sleep(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
      if (this.#stopping.signal.aborted) return;
      current = this.#succeed();
    }
  }
}

export interface RestartLimits {
  readonly most: number;
  readonly withinMs: number;
  /** The pause before the second restart within the window; it doubles with each further one. The first has none. */
  readonly delayMs: number;
}

export const RESTART_LIMITS: RestartLimits = { most: 5, withinMs: 60_000, delayMs: 500 };

/** Limits how often a service is restarted. */
export class RestartBudget {
  readonly limits: RestartLimits;
  #restarts: number[] = [];

  constructor(limits: RestartLimits = RESTART_LIMITS) {
    this.limits = limits;
  }

  /** The pause before the next restart, in milliseconds; null when there were `most` restarts within the window. */
  next(nowMs: number): number | null {
    const { most, withinMs, delayMs } = this.limits;
    this.#restarts = this.#restarts.filter((at) => nowMs - at < withinMs);
    if (this.#restarts.length >= most) return null;
    this.#restarts.push(nowMs);
    const earlier = this.#restarts.length - 1;
    return earlier === 0 ? 0 : delayMs * 2 ** (earlier - 1);
  }
}
