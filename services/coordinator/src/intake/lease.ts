import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { leasesKey } from "@rhone/common";
import type { Redis } from "ioredis";

/** Between two renewals. Six fit in what a lease lasts: a long turn of the event loop or two cost nobody a job. */
export const BEAT_MS = 500;
/** Looks in a row, a BEAT_MS apart, that find a lease as it was: then it is over. */
const LOOKS = 6;

/**
 * KEYS: the leases. ARGV: the name of one, and how often it was renewed. It ends unless it was renewed since: 1, also
 * when another coordinator has ended it, or an earlier call whose answer was lost.
 */
const END = `
local renewals = redis.call("HGET", KEYS[1], ARGV[1])
if renewals and renewals ~= ARGV[2] then return 0 end
redis.call("HDEL", KEYS[1], ARGV[1])
return 1`;

export interface LeaseOptions {
  /** Borrowed. */
  readonly redis: Pick<Redis, "eval" | "hdel" | "hgetall" | "hincrby" | "hkeys" | "pexpire">;
  /** Names this coordinator alone. */
  readonly id: string;
  readonly model: string;
  /** Leases outlive the locks of jobs that were taken under them. */
  readonly lockMs: number;
}

/** What has happened since the last renewal that was answered. */
export interface Renewal {
  /** Another coordinator has ended this one's lease, or Redis has lost it; it has a new one of the same name. */
  readonly wasOver: boolean;
  /** Leases of others are over. */
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
  #wasOver = false;
  #haveEnded = false;

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
    this.#wasOver ||= renewals <= this.#renewals;
    this.#renewals = renewals;
    this.#look(leases);
    for (const [name, { renewals: seen, looks }] of this.#others) if (looks > LOOKS) await this.#end(name, seen);
    const renewal = { wasOver: this.#wasOver, haveEnded: this.#haveEnded };
    this.#wasOver = false;
    this.#haveEnded = false;
    return renewal;
  }

  /** The names of those that live. */
  async living(): Promise<ReadonlySet<string>> {
    return new Set(await this.#options.redis.hkeys(this.#key));
  }

  /** This coordinator holds no more jobs. */
  async end(): Promise<void> {
    if (this.#name !== "") await this.#options.redis.hdel(this.#key, this.#name);
  }

  /** Some may be gone, given up or ended by another: who ended them may have no pipeline for their jobs. */
  #look(leases: Readonly<Record<string, string>>): void {
    const gone = [...this.#others.keys()].filter((name) => leases[name] === undefined);
    for (const name of gone) this.#others.delete(name);
    this.#haveEnded ||= gone.length > 0;
    for (const [name, renewals] of Object.entries(leases)) {
      if (name === this.#name) continue;
      const known = this.#others.get(name);
      this.#others.set(name, { renewals, looks: known?.renewals === renewals ? known.looks + 1 : 1 });
    }
  }

  async #end(name: string, renewals: string): Promise<void> {
    const ended = await this.#options.redis.eval(END, 1, this.#key, name, renewals);
    this.#others.delete(name);
    this.#haveEnded ||= ended === 1;
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
