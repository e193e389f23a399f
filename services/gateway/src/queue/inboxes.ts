import { eventsChannel, type GenerationEvent, type GenerationJob } from "@rhone/common";
import type { Redis } from "ioredis";
import { type LogPart, OrderedEvents } from "./ordered-events.js";

type Addressed = Pick<GenerationJob, "requestId" | "replyTo" | "keyId">;

export interface InboxesOptions {
  /** Borrowed, subscribed to this gateway's channel; to another's only while one of its requests is followed here. */
  readonly subscriber: Redis;
  readonly gatewayId: string;
  /** Throws the signal's reason when it is aborted before the log is read. */
  readonly readLog: (job: Addressed, ordinal: number, signal: AbortSignal) => Promise<LogPart>;
}

const SILENCE_MS = 2000;

/** Delivers events to the readers of their request, of whom there may be several. */
export class Inboxes {
  readonly #options: InboxesOptions;
  readonly #waiting = new Map<string, Set<OrderedEvents>>();
  /** Readers per channel of another gateway. */
  readonly #foreign = new Map<string, number>();

  constructor(options: InboxesOptions) {
    this.#options = options;
  }

  open(job: Addressed): OrderedEvents {
    const { requestId, replyTo } = job;
    const readLog = (ordinal: number, signal: AbortSignal) => this.#options.readLog(job, ordinal, signal);
    const inbox = new OrderedEvents({ readLog, silenceMs: SILENCE_MS });
    const sharing = this.#waiting.get(requestId) ?? new Set();
    this.#waiting.set(requestId, sharing.add(inbox));
    this.#listen(replyTo, inbox);
    return inbox;
  }

  close({ requestId, replyTo }: Addressed, inbox: OrderedEvents): void {
    const sharing = this.#waiting.get(requestId);
    sharing?.delete(inbox);
    if (sharing?.size === 0) this.#waiting.delete(requestId);
    this.#leave(replyTo);
  }

  deliver(event: GenerationEvent): void {
    for (const inbox of this.#waiting.get(event.requestId) ?? []) inbox.accept(event);
  }

  suspectAll(): void {
    for (const sharing of this.#waiting.values()) for (const inbox of sharing) inbox.suspect();
  }

  /** Events announced before the subscription took effect are in the log. */
  #listen(replyTo: string, inbox: OrderedEvents): void {
    if (replyTo === this.#options.gatewayId) return;
    this.#foreign.set(replyTo, (this.#foreign.get(replyTo) ?? 0) + 1);
    // A broken connection subscribes again by itself; until then the log is read after each silence.
    this.#options.subscriber.subscribe(eventsChannel(replyTo)).then(
      () => inbox.suspect(),
      () => {},
    );
  }

  #leave(replyTo: string): void {
    if (replyTo === this.#options.gatewayId) return;
    const left = (this.#foreign.get(replyTo) ?? 1) - 1;
    if (left > 0) {
      this.#foreign.set(replyTo, left);
      return;
    }
    this.#foreign.delete(replyTo);
    this.#options.subscriber.unsubscribe(eventsChannel(replyTo)).catch(() => {});
  }
}
