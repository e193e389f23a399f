import { setTimeout as sleep } from "node:timers/promises";
import { type Deed, type Fault, isSupervisor, nameOfDeed } from "./faults.js";
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

interface Lasting {
  readonly isOver: () => boolean;
  readonly undo: () => void;
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
  /** Faults that are being made. */
  #striking = 0;
  /** What lasts, such as a stop: resolves once it is undone. */
  readonly #lasting = new Set<Promise<void>>();

  constructor({ cluster, signal, returnMs = RETURN_MS }: StrikerOptions) {
    this.#cluster = cluster;
    this.#signal = AbortSignal.any([signal, this.#over.signal]);
    this.#returnMs = returnMs;
  }

  /** When the last fault was over, on the performance clock: now, while one is made or lasts; 0 before the first. */
  get disturbedUntil(): number {
    if (this.#striking > 0 || this.#lasting.size > 0) return performance.now();
    return Math.max(0, ...this.#struck.map(({ until }) => until));
  }

  /** In the order of their times. */
  get struck(): readonly StruckFault[] {
    return this.#struck;
  }

  /**
   * Resolves once it is made, and for a killed supervisor, once another one has the cluster ready. Throws NotBack, and
   * what `revive` throws.
   */
  async strike(fault: Fault): Promise<StruckFault> {
    this.#striking++;
    try {
      return await this.#strike(fault);
    } finally {
      this.#striking--;
    }
  }

  async #strike({ number, deed }: Fault): Promise<StruckFault> {
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
    if (deed.act === "part" || deed.act === "pull") {
      const undo = this.#disturb(deed);
      const fault = note(deed.act === "part" ? deed.hosts.join(" ") : deed.host, deed.forMs);
      this.#last(fault, { isOver: () => false, undo });
      return fault;
    }
    const process = await this.#process(deed.process);
    if (deed.act === "stop") {
      this.#cluster.signal(process, "SIGSTOP");
      const fault = note(process.name, deed.stopMs);
      const undo = () => this.#cluster.signal(process, "SIGCONT");
      // Its supervisor may wake it, or kill it.
      this.#last(fault, { isOver: () => !this.#cluster.isStopped(process), undo });
      return fault;
    }
    this.#cluster.signal(process, "SIGKILL");
    const fault = note(process.name);
    if (isSupervisor(process.name)) await this.#cluster.revive(process.name);
    return fault;
  }

  /** Undoes what lasts, at once. */
  async close(): Promise<void> {
    this.#over.abort();
    await this.settled();
  }

  /** Resolves when all that lasts is undone, in its time or by others: stopped processes are awake, or gone. */
  async settled(): Promise<void> {
    await Promise.all(this.#lasting);
  }

  /** What it returns undoes it. */
  #disturb(deed: Extract<Deed, { act: "part" | "pull" }>): () => void {
    const { network } = this.#cluster;
    if (network === null) throw new NotBack("the cluster has one host");
    if (deed.act === "pull") return network.unplug(deed.host);
    const [one, other] = deed.hosts;
    const undo = [network.cut(one, other), ...(deed.oneWay ? [] : [network.cut(other, one)])];
    return () => {
      for (const each of undo) each();
    };
  }

  /** Undoes a fault at its end, or when it is over before, and notes when that was. */
  #last(fault: StruckFault, how: Lasting): void {
    const lasting = this.#untilUndone(fault, how).finally(() => this.#lasting.delete(lasting));
    this.#lasting.add(lasting);
  }

  async #untilUndone(fault: StruckFault, { isOver, undo }: Lasting): Promise<void> {
    do await sleep(Math.min(POLL_MS, fault.until - fault.at), undefined, { signal: this.#signal }).catch(() => {});
    while (performance.now() < fault.until && !isOver() && !this.#signal.aborted);
    undo();
    const place = this.#struck.indexOf(fault);
    this.#struck[place] = { ...fault, until: performance.now() };
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
      return link !== undefined && (await resetLink(link, await this.#inside(link))) > 0 ? link : undefined;
    });
  }

  /** A process on the host that opened a link; undefined where there is one host. */
  async #inside({ from }: Link): Promise<number | undefined> {
    if (this.#cluster.network === null) return undefined;
    return from ?? (await this.#process("coordinator")).pid;
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
