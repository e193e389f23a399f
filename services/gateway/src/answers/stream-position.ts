import { RequestError } from "../request-error.js";

/**
 * Where a chunk is in a stream: how many events of each choice were written up to and with it, whose event it belongs
 * to, and which of that event's chunks it is. Each choice is counted by itself, because events of several choices may
 * reach two gateways in different orders; those of one choice do not.
 */
export interface StreamPosition {
  readonly taken: readonly number[];
  /** null: the chunk comes after the last event. */
  readonly choice: number | null;
  readonly chunk: number;
}

/** The `id` of a chunk: "5:0:1" is the second one of choice 0's fifth event, "5.7:end:0" the usage at the end. */
export const formatPosition = ({ taken, choice, chunk }: StreamPosition): string =>
  `${taken.join(".")}:${choice ?? "end"}:${chunk}`;

/** Throws INVALID_REQUEST for an id that no stream with this number of choices gives out. */
export function parsePosition(id: string, choices: number): StreamPosition {
  const [, counts, of, chunk] = /^(\d{1,9}(?:\.\d{1,9})*):(\d{1,4}|end):(\d{1,4})$/.exec(id) ?? [];
  const taken = counts?.split(".").map(Number) ?? [];
  const choice = of === "end" ? null : Number(of);
  if (taken.length === choices && (choice === null || (taken[choice] ?? 0) > 0)) {
    return { taken, choice, chunk: Number(chunk) };
  }
  throw notOfThisStream(`${JSON.stringify(id)} is not an id of this stream`);
}

/** The refusal of a position that the stream never had, or has not reached. */
export const beyond = (choice: number, { taken }: StreamPosition, events: number): RequestError =>
  notOfThisStream(`it counts ${taken[choice]} events of choice ${choice}, of which there are ${events}`);

const notOfThisStream = (problem: string): RequestError =>
  new RequestError("INVALID_REQUEST", `Last-Event-ID: ${problem}.`, { param: "Last-Event-ID" });
