import type { GenerationEvent } from "@rhone/common";

/** An event and the gateway that waits for it. */
export interface LoggedEvent {
  readonly replyTo: string;
  readonly event: GenerationEvent;
}

/** Where events become durable before anybody sees them. */
export interface EventLog {
  /** Too many events wait to be written: decide nothing more until an `append` settles. */
  readonly full: boolean;
  /**
   * Takes the events of one step, in order. Resolves when they are written and announced, with the requests whose log
   * another coordinator has continued: those are no longer ours. Never rejects before the log is closed.
   */
  append(events: readonly LoggedEvent[]): Promise<readonly string[]>;
}
