import type { ServerResponse } from "node:http";

/**
 * Hangs up on a client that takes nothing for `timeoutMs` of an answer that is written whole, or that is piped from a
 * file: what it does not read stays in memory, or keeps the file open.
 */
export function boundUnread(response: ServerResponse, timeoutMs: number): void {
  const begin = (): void => {
    // The socket's: it counts from the last byte that the system took, and destroys the socket.
    response.setTimeout(timeoutMs);
    // Before Node's own listener, which sets the time for the connection's next request.
    response.prependOnceListener("finish", () => response.socket?.setTimeout(0));
  };
  response.once("pipe", begin).once("prefinish", begin);
}
