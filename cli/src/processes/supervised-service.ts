import { setTimeout as sleep } from "node:timers/promises";
import { RhoneError, toRhoneError } from "@rhone/common";
import { type Addresses, ServiceProcess, type ServiceSpec } from "./service-process.js";

export interface SupervisedOptions {
  /** How to start it; `previous` holds the addresses of its last run, which others know it by. */
  readonly spec: (previous: Addresses | undefined) => ServiceSpec;
  /** A process was started or has ended. */
  readonly onChange: () => void;
  /** It ended by itself and is started again. */
  readonly onRestart: (why: RhoneError) => void;
  /** It can't be kept alive. */
  readonly onGiveUp: (why: RhoneError) => void;
  readonly budget?: RestartBudget;
}

/** A service that is kept running: started again, after a growing pause, whenever it ends by itself. */
export class SupervisedService {
  readonly #options: SupervisedOptions;
  readonly #budget: RestartBudget;
  readonly #stopping = new AbortController();
  #process: ServiceProcess | undefined;
  #addresses: Addresses | undefined;

  constructor(options: SupervisedOptions) {
    this.#options = options;
    this.#budget = options.budget ?? new RestartBudget();
  }

  get process(): ServiceProcess | undefined {
    return this.#process;
  }

  /** Starts it and returns its addresses. Rejects when its first run ends before it listens: that is no accident. */
  async start(): Promise<Addresses> {
    const first = this.#spawn();
    this.#addresses = await first.listening;
    void this.#keepAlive(first);
    return this.#addresses;
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    await this.#process?.stop(deadlineMs);
  }

  kill(): void {
    this.#stopping.abort();
    this.#process?.kill();
  }

  #spawn(): ServiceProcess {
    const started = ServiceProcess.start(this.#options.spec(this.#addresses));
    this.#process = started;
    this.#options.onChange();
    void started.ended.then(() => {
      if (this.#process === started) this.#process = undefined;
      this.#options.onChange();
    });
    return started;
  }

  async #keepAlive(first: ServiceProcess): Promise<void> {
    let current = first;
    while (!this.#stopping.signal.aborted) {
      const why = await current.ended;
      if (this.#stopping.signal.aborted) return;
      const delayMs = this.#budget.next(performance.now());
      if (delayMs === null) return this.#options.onGiveUp(hopeless(why));
      this.#options.onRestart(why);
      await sleep(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
      if (this.#stopping.signal.aborted) return;
      current = this.#spawn();
    }
  }
}

function hopeless(why: RhoneError): RhoneError {
  const named = toRhoneError(why);
  return new RhoneError(named.code, `${named.message}\nIt ended too often to be started again.`, { cause: why });
}

export interface RestartLimits {
  readonly most: number;
  readonly withinMs: number;
  /** The pause before the first restart; doubled for each further one within the window. */
  readonly firstDelayMs: number;
}

export const RESTART_LIMITS: RestartLimits = { most: 5, withinMs: 60_000, firstDelayMs: 250 };

/** How often a service may be restarted before that is hopeless. */
export class RestartBudget {
  readonly #limits: RestartLimits;
  #restarts: number[] = [];

  constructor(limits: RestartLimits = RESTART_LIMITS) {
    this.#limits = limits;
  }

  /** The pause before the next restart in milliseconds, or null when the budget is spent. */
  next(nowMs: number): number | null {
    const { most, withinMs, firstDelayMs } = this.#limits;
    this.#restarts = this.#restarts.filter((at) => nowMs - at < withinMs);
    if (this.#restarts.length >= most) return null;
    this.#restarts.push(nowMs);
    return firstDelayMs * 2 ** (this.#restarts.length - 1);
  }
}
