import { REDIS_PREFIX, RhoneError } from "@rhone/common";
import type { Redis } from "ioredis";

const leaseKey = (id: string): string => `${REDIS_PREFIX}:batch-lease:${id}`;

/** Lengthens our lease, or takes it again when Redis has forgotten it; 0 when somebody else has it. */
const RENEW = `
local owner = redis.call('get', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
return 1`;

const RELEASE = `
if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end
return 1`;

/** The right to run a batch: one gateway has it at a time, and it runs out when that gateway dies. */
export class BatchLease {
  readonly #redis: Redis;
  readonly #id: string;
  readonly #owner: string;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #heldUntilMs: number;

  private constructor(redis: Redis, lease: { id: string; owner: string; leaseMs: number }) {
    this.#redis = redis;
    this.#id = lease.id;
    this.#owner = lease.owner;
    this.#heldUntilMs = Date.now() + lease.leaseMs;
    this.#timer = setInterval(() => void this.#renew(lease.leaseMs), lease.leaseMs / 3);
  }

  /** null: another has it. `owner` is this process's alone. Throws what Redis throws. */
  static async take(redis: Redis, lease: { id: string; owner: string; leaseMs: number }): Promise<BatchLease | null> {
    const taken = await redis.set(leaseKey(lease.id), lease.owner, "PX", lease.leaseMs, "NX");
    return taken === null ? null : new BatchLease(redis, lease);
  }

  /** Aborted when it has run out or is another's. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#redis.eval(RELEASE, 1, leaseKey(this.#id), this.#owner);
  }

  async #renew(leaseMs: number): Promise<void> {
    const askedAtMs = Date.now();
    const isOurs = await this.#redis.eval(RENEW, 1, leaseKey(this.#id), this.#owner, leaseMs).then(
      (reply) => reply === 1,
      () => null, // no answer says nothing; time tells
    );
    if (isOurs === true) this.#heldUntilMs = askedAtMs + leaseMs;
    if (isOurs === false || Date.now() > this.#heldUntilMs) this.#lose();
  }

  #lose(): void {
    clearInterval(this.#timer);
    this.#lost.abort(new RhoneError("SHUTTING_DOWN", "Another gateway may run the batch by now."));
  }
}
