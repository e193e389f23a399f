import type { Socket } from "node:net";
import { isOver } from "../turns.js";

const connections = new Set<Socket>();
/** Those that brought a turn to its end, and wait for one in which the others had time enough. */
const resting: Socket[] = [];
let isWaiting = false;

/** Lets a connection be read in the turns that all of them share, until it closes. */
export function readInTurns(connection: Socket): void {
  connections.add(connection);
  connection.once("close", () => connections.delete(connection));
}

/**
 * For each chunk of a body that comes from `connection`. Once this turn's work has gone on for 20 ms, nothing more is
 * read from any connection; the others are read on in the next turn, and this one when they have had theirs. One read
 * of 64 KB is the least: in chunks of one byte, 11 ms of processor time in Node's parser. Without this, the event loop
 * would read up to 32 times from each connection, in the same order each time, before it turns.
 */
export function endReadingOfTurn(connection: Socket): void {
  if (isWaiting || !isOver()) return;
  isWaiting = true;
  // Others wait already, for their request to be read or answered.
  const reading = [...connections].filter((each) => !each.isPaused());
  for (const each of reading) each.pause();
  resting.push(connection);
  setImmediate(() => {
    isWaiting = false;
    for (const each of reading) if (each !== connection) each.resume();
    setImmediate(endRest);
  });
}

function endRest(): void {
  if (isWaiting) return;
  for (const each of resting.splice(0)) each.resume();
}
