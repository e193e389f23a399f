import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { leasesKey } from "@rhone/common";
import type { Redis } from "ioredis";

/** Between two renewals. Six fit in what a lease lasts: a long turn of the event loop or two cost nobody a job. */
export const BEAT_MS = 500;
/** Looks in a row, a BEAT_MS apart, that find a lease as it was: then it is over. */
const LOOKS = 6;

/** KEYS: the leases. ARGV: the name of one, and how often it was renewed; it ends unless it was renewed since. */
const END = `
if redis.call("HGET", KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call("HDEL", KEYS[1], ARGV[1])`;

export interface LeaseOptions {
  /** Borrowed. */
  readonly redis: Pick<Redis, "eval" | "hdel" | "hgetall" | "hincrby" | "hkeys" | "pexpire">;
  /** Names this coordinator alone. */
  readonly id: string;
  readonly model: string;
  /** Leases outlive the locks of jobs that were taken under them. */
  readonly lockMs: number;
}

export interface Renewal {
  /** Another coordinator has ended this one's lease, or Redis has lost it; it has a new one of the same name. */
  readonly wasOver: boolean;
  /** Leases of others are over since the last renewal. */
  readonly haveEnded: boolean;
}

/**
 * Says which of a model's coordinators live. Each counts up a number in Redis; one whose number others have seen six
 * times without a change has died, hangs, or is cut off. No clocks are compared: what counts are looks that Redis has
 * answered, so that nobody's lease ends because Redis was away, or because the one that looks was stopped.
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #key: string;
  readonly #others = new Map<string, { readonly renewals: string; readonly looks: number }>();
  #name = "";
  #renewals = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#key = leasesKey(options.model);
  }

  /** The token of a lock of a job that is taken under this lease; `taking` counts what its holder takes. */
  token(taking: number): string {
    return `${this.#name}:${taking}`;
  }

  /** To be called before any job is taken. Ends the lease of a process that listened at `place` before. */
  async take(place: string): Promise<void> {
    this.#name = `${place}-${this.#options.id}`;
    await this.renew();
    const earlier = [...this.#others].filter(([name]) => name.startsWith(`${place}-`));
    for (const [name, { renewals }] of earlier) await this.#end(name, renewals);
  }

  /** To be called each BEAT_MS. */
  async renew(): Promise<Renewal> {
    const { redis, lockMs } = this.#options;
    // All are sent at once.
    const [renewals, leases] = await Promise.all([
      redis.hincrby(this.#key, this.#name, 1),
      redis.hgetall(this.#key),
      redis.pexpire(this.#key, lockMs + 60_000),
    ]);
    const wasOver = renewals <= this.#renewals;
    this.#renewals = renewals;
    let haveEnded = this.#look(leases);
    for (const [name, { renewals: seen, looks }] of this.#others) {
      if (looks > LOOKS && (await this.#end(name, seen))) haveEnded = true;
    }
    return { wasOver, haveEnded };
  }

  /** The names of those that live. */
  async living(): Promise<ReadonlySet<string>> {
    return new Set(await this.#options.redis.hkeys(this.#key));
  }

  /** This coordinator holds no more jobs. */
  async end(): Promise<void> {
    if (this.#name !== "") await this.#options.redis.hdel(this.#key, this.#name);
  }

  /** Whether some are gone, given up or ended by another: who ended them may have no pipeline for their jobs. */
  #look(leases: Readonly<Record<string, string>>): boolean {
    const gone = [...this.#others.keys()].filter((name) => leases[name] === undefined);
    for (const name of gone) this.#others.delete(name);
    for (const [name, renewals] of Object.entries(leases)) {
      if (name === this.#name) continue;
      const known = this.#others.get(name);
      this.#others.set(name, { renewals, looks: known?.renewals === renewals ? known.looks + 1 : 1 });
    }
    return gone.length > 0;
  }

  async #end(name: string, renewals: string): Promise<boolean> {
    const ended = await this.#options.redis.eval(END, 1, this.#key, name, renewals);
    this.#others.delete(name);
    return ended === 1;
  }
}

/** The name of the lease under which a job was taken, by the token of its lock; null for a lock of another kind. */
export const leaseOf = (token: string): string | null => /^([0-9a-f]{12}-[^:]+):\d+$/.exec(token)?.[1] ?? null;

/**
 * Names an address as one machine has it since its start, or one container: one process at a time can listen there, so
 * that an earlier one is gone.
 */
export function placeOf(address: string): string {
  const machine = [hostname(), bootId(), network()].join(" ");
  return createHash("sha256").update(`${machine} ${address}`).digest("hex").slice(0, 12);
}

/** Linux has these two. */
const bootId = (): string => orNothing(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8"));
const network = (): string => orNothing(() => readlinkSync("/proc/self/ns/net"));

function orNothing(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
