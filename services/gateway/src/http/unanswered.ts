import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { RhoneError } from "@rhone/common";
import { RequestError } from "../request-error.js";

/** Closes a socket with a refusal, as `closeWith` does. */
export type Refuse = (socket: Socket, error: RhoneError, isAnswering: boolean) => void;

/**
 * The responses of each connection that are not sent whole. A client may send requests without waiting for the answers
 * before (HTTP/1.1 pipelining), and Node makes requests of all that a chunk holds, 1,700 of 38 bytes, in one turn of
 * the event loop. A response counts until the system took its last byte, so that unread answers count too.
 */
export class Unanswered {
  readonly #most: number;
  readonly #refuse: Refuse;
  readonly #onCount: (requests: number, socket: Socket) => void;
  readonly #of = new WeakMap<Socket, Set<ServerResponse>>();

  /** `onCount`: told at each change how many a connection has. */
  constructor(mostPerConnection: number, refuse: Refuse, onCount: (requests: number, socket: Socket) => void) {
    this.#most = mostPerConnection;
    this.#refuse = refuse;
    this.#onCount = onCount;
  }

  /**
   * Whether the request is to be handled. The first one beyond the bound closes its connection with one 429, and
   * nobody looks at those behind it.
   */
  admit(socket: Socket, response: ServerResponse): boolean {
    if (!socket.writable) return false;
    const waiting = this.#of.get(socket) ?? this.#follow(socket);
    if (waiting.size >= this.#most) {
      const message = `${this.#most} requests of this connection wait for their answers, the limit (--most-pipelined); read them first.`;
      this.#refuse(socket, new RequestError("RATE_LIMIT_EXCEEDED", message), this.isAnswering(socket));
      return false;
    }
    waiting.add(response);
    this.#onCount(waiting.size, socket);
    response.once("close", () => {
      waiting.delete(response);
      this.#onCount(waiting.size, socket);
    });
    return true;
  }

  /** Whether a part of an answer was sent, but not its end. */
  isAnswering(socket: Socket): boolean {
    return [...(this.#of.get(socket) ?? [])].some(({ headersSent, writableEnded }) => headersSent && !writableEnded);
  }

  #follow(socket: Socket): Set<ServerResponse> {
    const waiting = new Set<ServerResponse>();
    this.#of.set(socket, waiting);
    // Node closes only the response whose turn it is; without this the others would never learn that the client left.
    socket.once("close", () => {
      for (const response of waiting) if (response.socket === null) response.destroy().emit("close");
    });
    return waiting;
  }
}
