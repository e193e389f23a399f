import type { Socket } from "node:net";
import { isOver } from "../turns.js";

/** Costly connections are read for a turn of 20 ms, one after another, with a rest of this length between them. */
const REST_MS = 20;

const connections = new Set<Socket>();
const resting: Socket[] = [];
let isWaiting = false;
let isResting = false;

/** Lets a connection be read in the turns that all of them share, until it closes. */
export function readInTurns(connection: Socket): void {
  connections.add(connection);
  connection.once("close", () => connections.delete(connection));
}

/**
 * For each chunk of a body. Once this turn's work has gone on for 20 ms, nothing more is read from any connection until
 * the next one. Without this, the event loop would read up to 32 times from each connection before it turns, and one
 * read of 64 KB in chunks of one byte takes Node's parser 11 ms. The connection of the chunk, if it is `costly`, rests
 * until the other costly ones have had a turn, so that half of the time is left for other work.
 */
export function endReadingOfTurn(costly: Socket | null): void {
  if (isWaiting || !isOver()) return;
  isWaiting = true;
  // Others wait already, for their request to be read or answered.
  const reading = [...connections].filter((each) => !each.isPaused());
  for (const each of reading) each.pause();
  setImmediate(() => {
    isWaiting = false;
    for (const each of reading) if (each !== costly) each.resume();
  });
  if (costly === null) return;
  resting.push(costly);
  if (!isResting) rest();
}

function rest(): void {
  isResting = true;
  setTimeout(() => {
    resting.shift()?.resume();
    // By then it has been read.
    setImmediate(() => {
      isResting = false;
      if (resting.length > 0) rest();
    });
  }, REST_MS);
}
