import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { RhoneError } from "@rhone/common";
import { errorBody } from "../request-error.js";
import { errorHeaders } from "./error-response.js";

/** A client has this long to read the refusal. */
const READ_MS = 1000;

/**
 * Refuses what never becomes a request: writes the envelope to the socket itself and hangs up, without a look at what
 * else arrives. A socket on which an answer has begun is only closed, as the envelope would garble the answer. Returns
 * whether the envelope was written.
 */
export function closeWith(socket: Socket, error: RhoneError, isAnswering: boolean): boolean {
  stopParsing(socket);
  if (!socket.writable || isAnswering || socket.writableNeedDrain) {
    socket.destroy();
    return false;
  }
  socket.end(envelope(error));
  // Read and dropped: a socket that is closed with bytes to read is reset, which can take the refusal from the client.
  socket.removeAllListeners("data").on("data", () => {});
  // Node's parser takes an end in the middle of a request for another bad one.
  socket.removeAllListeners("end");
  const timer = setTimeout(() => socket.destroy(), READ_MS);
  socket.once("close", () => clearTimeout(timer));
  return true;
}

/** Tells Node's parser that the rest of the bytes belongs to a protocol other than HTTP. */
const NO_HTTP = 2;

/**
 * Node would make a request of each that the chunk in hand holds: 1,800 took 0.4 s. It has no documented way to stop;
 * without this one the rest is passed over one by one.
 */
function stopParsing(socket: Socket & { readonly parser?: { onIncoming: unknown } | null }): void {
  if (socket.parser) socket.parser.onIncoming = () => NO_HTTP;
}

function envelope(error: RhoneError): string {
  const { http } = error.row;
  const body = JSON.stringify(errorBody(error));
  const headers = {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    connection: "close",
    ...errorHeaders(error),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${http} ${STATUS_CODES[http]}\r\n${lines.join("")}\r\n${body}`;
}
