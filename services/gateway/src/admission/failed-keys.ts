import { isIPv6 } from "node:net";
import { WINDOW_MS } from "./budgets.js";

/** Most networks that are remembered; the one whose last failure is oldest goes first. */
const MOST_NETWORKS = 10_000;

/** Counts the wrong API keys that came from an address, or from a network of IPv6. */
export class FailedKeys {
  /** A wrong key is forgiven in this time. */
  readonly #oneMs: number;
  readonly #now: () => number;
  /** When all are forgiven, as in `Budgets`. */
  readonly #failures = new Map<string, number>();

  /** `most`: wrong keys per minute and network. `now`: milliseconds of a monotonic clock. */
  constructor(most: number, now: () => number = () => performance.now()) {
    this.#oneMs = WINDOW_MS / most;
    this.#now = now;
  }

  /** Milliseconds until keys from the address are looked up again; 0: they are. */
  waitMs(address: string): number {
    const ms = this.#until(networkOf(address)) + this.#oneMs - this.#now() - WINDOW_MS;
    return ms < 0.01 ? 0 : ms;
  }

  add(address: string): void {
    const network = networkOf(address);
    const until = this.#until(network) + this.#oneMs;
    this.#failures.delete(network);
    this.#failures.set(network, until);
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > MOST_NETWORKS && oldest !== undefined) this.#failures.delete(oldest);
  }

  #until(network: string): number {
    return Math.max(this.#now(), this.#failures.get(network) ?? 0);
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
