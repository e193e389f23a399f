import { RequestError } from "../request-error.js";

/**
 * Where in a stream a chunk stands: how many events of each choice were written up to and with it, whose event it is of, and which
 * of that event's chunks it is. Events of several choices may reach two gateways in different order; those of one choice do not.
 */
export interface StreamPosition {
  readonly taken: readonly number[];
  /** null: one of the chunks after the last event. */
  readonly choice: number | null;
  readonly chunk: number;
}

/** The `id` of a server-sent event: "5:0:1" is the second chunk of choice 0's fifth event, "5.7:end:0" the usage after all. */
export const formatPosition = ({ taken, choice, chunk }: StreamPosition): string =>
  `${taken.join(".")}:${choice ?? "end"}:${chunk}`;

/** Throws INVALID_REQUEST for an id that no stream of so many choices has given. */
export function parsePosition(id: string, choices: number): StreamPosition {
  const [, counts, of, chunk] = /^(\d{1,9}(?:\.\d{1,9})*):(\d{1,4}|end):(\d{1,4})$/.exec(id) ?? [];
  const taken = counts?.split(".").map(Number) ?? [];
  const choice = of === "end" ? null : Number(of);
  if (taken.length === choices && (choice === null || (taken[choice] ?? 0) > 0)) {
    return { taken, choice, chunk: Number(chunk) };
  }
  throw new RequestError("INVALID_REQUEST", `Last-Event-ID: ${JSON.stringify(id)} is no id of this stream.`, {
    param: "Last-Event-ID",
  });
}
