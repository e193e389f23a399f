import { isIPv6 } from "node:net";

/** Most networks that are remembered; the one that failed first goes first. */
const MOST_NETWORKS = 10_000;
const WINDOW_MS = 60_000;

interface Failures {
  count: number;
  readonly untilMs: number;
}

/** Counts the wrong API keys that came from an address, or from a network of IPv6, within a minute. */
export class FailedKeys {
  readonly #most: number;
  readonly #now: () => number;
  readonly #failures = new Map<string, Failures>();

  /** `most`: wrong keys per minute and network. `now`: milliseconds of a monotonic clock. */
  constructor(most: number, now: () => number = () => performance.now()) {
    this.#most = most;
    this.#now = now;
  }

  /** Milliseconds until keys from the address are looked up again; 0: they are. */
  waitMs(address: string): number {
    const { count, untilMs } = this.#failures.get(networkOf(address)) ?? { count: 0, untilMs: 0 };
    return count < this.#most ? 0 : Math.max(0, untilMs - this.#now());
  }

  add(address: string): void {
    const now = this.#now();
    const network = networkOf(address);
    const known = this.#failures.get(network);
    if (known !== undefined && known.untilMs > now) {
      known.count++;
      return;
    }
    this.#failures.delete(network);
    this.#failures.set(network, { count: 1, untilMs: now + WINDOW_MS });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > MOST_NETWORKS && oldest !== undefined) this.#failures.delete(oldest);
  }
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/;
/** Groups of 16 bits of an IPv6 address, and those of them that name a network. */
const [GROUPS, NETWORK_GROUPS] = [8, 4];

/**
 * The addresses that one client may have: of IPv6 all with the same first 64 bits, which providers assign together. A
 * server with both families gives an IPv4 address as ::ffff:192.0.2.1.
 */
export function networkOf(address: string): string {
  const mapped = MAPPED.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [before = [], after = []] = address.split("::").map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: GROUPS - before.length - after.length }, () => "0");
  const groups = address.includes("::") ? [...before, ...zeros, ...after] : before;
  return `${groups.slice(0, NETWORK_GROUPS).join(":")}::/64`;
}
