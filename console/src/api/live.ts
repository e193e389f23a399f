import { signal } from "@preact/signals";
import type { ClusterEvent, LiveHello, LiveSample, LiveTick, RecentRequest } from "@rhone/common";
import { typings } from "./access.ts";
import { ask, problemOf, Refused } from "./ask.ts";
import { serverEvents } from "./server-events.ts";

/** As many as the gateway keeps. */
const MOST_SAMPLES = 600;
const MOST_EVENTS = 200;
const MOST_REQUESTS = 200;
const RETRY_MS = 1500;
/** Where all places are taken: hundreds of pages that ask each second would be a load of their own. */
const FULL_MS = 10_000;
/**
 * A page that nobody sees for this long follows no more: over HTTP/1.1 a browser opens six connections to a server, for
 * all its tabs together, and the seventh page would get none for anything.
 */
const HIDDEN_MS = 5000;

export type Link =
  | { readonly state: "connecting" | "live" }
  /** Tried again, unless a key is wanted. */
  | { readonly state: "lost" | "refused"; readonly problem: string };

export const link = signal<Link>({ state: "connecting" });
export const hello = signal<LiveHello | null>(null);
export const tick = signal<LiveTick | null>(null);
export const samples = signal<readonly LiveSample[]>([]);
/** The newest last. */
export const events = signal<readonly ClusterEvent[]>([]);
/** The newest first. */
export const requests = signal<readonly RecentRequest[]>([]);

let following: AbortController | undefined;

/** Follows the gateway's state with the present credential, and tries again for ever. */
export function follow(): void {
  following?.abort();
  const current = new AbortController();
  following = current;
  void (async () => {
    while (!current.signal.aborted) {
      if (link.peek().state !== "live") link.value = { state: "connecting" };
      const refused = await readStream(current.signal).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (current.signal.aborted) return;
      const problem = refused === null ? "The gateway ended the stream." : problemOf(refused);
      const needsKey = refused instanceof Refused && refused.status === 401;
      link.value = { state: needsKey ? "refused" : "lost", problem };
      if (needsKey) return;
      const isFull = refused instanceof Refused && refused.status === 429;
      await new Promise((resolve) => setTimeout(resolve, isFull ? FULL_MS : RETRY_MS));
    }
  })();
}

typings.subscribe(() => follow());

let hiding: ReturnType<typeof setTimeout> | undefined;
function restWhileHidden(): void {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(() => following?.abort(), HIDDEN_MS);
  else if (following?.signal.aborted === true) follow();
}
document.addEventListener("visibilitychange", restWhileHidden);
restWhileHidden(); // it may begin behind others

async function readStream(signal: AbortSignal): Promise<void> {
  const { body } = await ask("/status/stream", { signal });
  if (body === null) return;
  for await (const { event, data } of serverEvents(body)) {
    if (signal.aborted) return;
    if (event === "hello") begin(JSON.parse(data) as LiveHello);
    else if (event === "tick") step(JSON.parse(data) as LiveTick);
  }
}

function begin(first: LiveHello): void {
  hello.value = first;
  samples.value = first.samples;
  events.value = first.events;
  requests.value = [];
  take(first.requests);
  link.value = { state: "live" };
}

function step(now: LiveTick): void {
  tick.value = now;
  if (now.sample.atMs > (samples.value.at(-1)?.atMs ?? 0))
    samples.value = [...samples.value, now.sample].slice(-MOST_SAMPLES);
  if (now.events.length > 0) events.value = [...events.value, ...now.events].slice(-MOST_EVENTS);
  take(now.requests);
}

function take(changed: readonly RecentRequest[]): void {
  if (changed.length === 0) return;
  const byId = new Map(requests.value.map((request) => [request.id, request]));
  for (const request of changed) byId.set(request.id, request);
  requests.value = [...byId.values()].sort((a, b) => b.arrivedAtMs - a.arrivedAtMs).slice(0, MOST_REQUESTS);
}
