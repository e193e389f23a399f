import { setTimeout as sleep } from "node:timers/promises";
import { type Deed, type Fault, nameOfDeed } from "./faults.js";
import type { StruckFault } from "./gaps.js";
import { type Link, linksOf, resetLink } from "./links.js";
import type { BreakableCluster, ClusterProcess } from "./local-cluster.js";

/** For a process, or a link, to be there again: longer than a stop lasts, and than a large shard takes to load. */
const RETURN_MS = 180_000;
const POLL_MS = 100;

export interface StrikerOptions {
  readonly cluster: BreakableCluster;
  readonly signal: AbortSignal;
  /** Milliseconds to wait for a process that is gone. */
  readonly returnMs?: number;
}

/** A fault that could not be made, because what it was to strike did not come back. */
export class NotBack extends Error {}

/** Makes faults. */
export class Striker {
  readonly #cluster: BreakableCluster;
  /** Of the bench, or when this is closed. */
  readonly #signal: AbortSignal;
  readonly #over = new AbortController();
  readonly #returnMs: number;
  readonly #struck: StruckFault[] = [];
  /** Stopped processes, and what waits to wake them. */
  readonly #stopped = new Map<ClusterProcess, Promise<void>>();

  constructor({ cluster, signal, returnMs = RETURN_MS }: StrikerOptions) {
    this.#cluster = cluster;
    this.#signal = AbortSignal.any([signal, this.#over.signal]);
    this.#returnMs = returnMs;
  }

  /** In the order of their times. */
  get struck(): readonly StruckFault[] {
    return this.#struck;
  }

  /**
   * Resolves once it is made, and for a killed supervisor, once another one has the cluster ready. Throws NotBack, and
   * what `revive` throws.
   */
  async strike({ number, deed }: Fault): Promise<StruckFault> {
    const note = (target: string, forMs = 0, name = nameOfDeed(deed)): StruckFault => {
      const at = performance.now();
      const fault = { number, name, target, at, until: at + forMs };
      this.#struck.push(fault);
      return fault;
    };
    if (deed.act === "reset") {
      const { name, to } = await this.#reset(deed);
      return note(name, 0, `reset link to ${to}`);
    }
    const process = await this.#process(deed.process);
    if (deed.act === "stop") {
      this.#cluster.signal(process, "SIGSTOP");
      const fault = note(process.name, deed.stopMs);
      this.#stopped.set(process, this.#wake(process, fault));
      return fault;
    }
    this.#cluster.signal(process, "SIGKILL");
    const fault = note(process.name);
    if (process.name === "supervisor") await this.#cluster.revive();
    return fault;
  }

  /** Wakes what is stopped, at once. */
  async close(): Promise<void> {
    this.#over.abort();
    await this.settled();
  }

  /** Resolves when all stopped processes were woken in their time, or are gone. */
  async settled(): Promise<void> {
    await Promise.all(this.#stopped.values());
  }

  /** Notes when it was woken, or was found to be gone. */
  async #wake(process: ClusterProcess, fault: StruckFault): Promise<void> {
    while (performance.now() < fault.until && this.#cluster.isAlive(process) && !this.#signal.aborted) {
      await sleep(POLL_MS, undefined, { signal: this.#signal }).catch(() => {});
    }
    this.#cluster.signal(process, "SIGCONT");
    const place = this.#struck.indexOf(fault);
    this.#struck[place] = { ...fault, until: performance.now() };
    this.#stopped.delete(process);
  }

  #process(name: string): Promise<ClusterProcess> {
    return this.#untilFound(`${name} has not come back`, async () => {
      const found = (await this.#cluster.processes()).find((process) => process.name === name);
      return found !== undefined && this.#cluster.isAlive(found) ? found : undefined;
    });
  }

  /** The link whose connection was reset. */
  #reset({ share }: Extract<Deed, { act: "reset" }>): Promise<Link> {
    return this.#untilFound("no pipeline is ready", async () => {
      const links = linksOf(await this.#cluster.status().catch(() => []));
      const link = links[Math.min(links.length - 1, Math.floor(share * links.length))];
      return link !== undefined && (await resetLink(link)) > 0 ? link : undefined;
    });
  }

  async #untilFound<T>(problem: string, find: () => Promise<T | undefined>): Promise<T> {
    const deadline = performance.now() + this.#returnMs;
    for (;;) {
      const found = await find();
      if (found !== undefined) return found;
      if (performance.now() > deadline) throw new NotBack(`${problem} within ${this.#returnMs / 1000} s`);
      await sleep(POLL_MS, undefined, { signal: this.#signal });
    }
  }
}
