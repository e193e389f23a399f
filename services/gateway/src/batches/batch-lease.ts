import { REDIS_PREFIX, RhoneError } from "@rhone/common";
import type { Redis } from "ioredis";

const leaseKey = (id: string): string => `${REDIS_PREFIX}:batch-lease:${id}`;

/** Extends our lease, or takes it again when Redis lost it; 0 when another process has it. */
const RENEW = `
local owner = redis.call('get', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
return 1`;

const RELEASE = `
if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end
return 1`;

export interface Lease {
  readonly id: string;
  /** Names this process alone. */
  readonly owner: string;
  readonly leaseMs: number;
}

/**
 * The right to run a batch, or to follow a response in the background. One gateway has it at a time, until it expires:
 * that gateway has died, or lost its Redis.
 */
export class BatchLease {
  readonly #redis: Redis;
  readonly #id: string;
  readonly #owner: string;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #heldUntilMs: number;

  private constructor(redis: Redis, lease: Lease) {
    this.#redis = redis;
    this.#id = lease.id;
    this.#owner = lease.owner;
    this.#heldUntilMs = performance.now() + lease.leaseMs;
    this.#timer = setInterval(() => void this.#renew(lease.leaseMs), lease.leaseMs / 3);
  }

  /** null: another process has it. Throws what Redis throws. */
  static async take(redis: Redis, lease: Lease): Promise<BatchLease | null> {
    const taken = await redis.set(leaseKey(lease.id), lease.owner, "PX", lease.leaseMs, "NX");
    return taken === null ? null : new BatchLease(redis, lease);
  }

  /** Aborted when the lease expired or another process has it. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#redis.eval(RELEASE, 1, leaseKey(this.#id), this.#owner);
  }

  async #renew(leaseMs: number): Promise<void> {
    const askedAtMs = performance.now();
    const isOurs = await this.#redis.eval(RENEW, 1, leaseKey(this.#id), this.#owner, leaseMs).then(
      (reply) => reply === 1,
      () => null, // without an answer, its time decides
    );
    if (isOurs === true) this.#heldUntilMs = askedAtMs + leaseMs;
    if (isOurs === false || performance.now() > this.#heldUntilMs) this.#lose();
  }

  #lose(): void {
    clearInterval(this.#timer);
    this.#lost.abort(new RhoneError("SHUTTING_DOWN", "The lease is lost; another gateway may go on by now."));
  }
}
