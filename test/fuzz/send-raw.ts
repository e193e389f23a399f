import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parseResponses, type RawResponse } from "./parse-responses.js";
import type { RawAttack } from "./raw-attack.js";

/** A server that has answered and then sends nothing for this long has finished. */
const SILENCE_MS = 150;
const DEADLINE_MS = 20_000;
/** How long to wait for an answer to a request that never ends; none is owed. */
const PATIENCE_MS = 1000;

export interface RawOutcome {
  readonly responses: readonly RawResponse[];
  /** The server neither answered nor closed. */
  readonly hung: boolean;
}

/** Writes the attack's parts and returns the responses. Throws for bytes that are not HTTP. */
export async function sendRaw(url: string, attack: RawAttack): Promise<RawOutcome> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  const received: Buffer[] = [];
  socket.on("error", () => {});
  socket.on("data", (part) => void received.push(part));
  await once(socket, "connect");
  for (const part of attack.parts) {
    if (socket.closed) break;
    socket.write(part);
    if (attack.parts.length > 1) await sleep(attack.pauseMs);
  }
  if (attack.end === "half-close") socket.end();
  if (attack.end !== "destroy") {
    await finished(socket, received, attack.end === "half-close" || received.length > 0 ? DEADLINE_MS : PATIENCE_MS);
  }
  const hung = attack.end === "half-close" && !socket.closed && received.length === 0;
  socket.destroy();
  const methods = [Buffer.concat(attack.parts).toString("latin1").trimStart().split(" ")[0] ?? ""];
  return { responses: parseResponses(Buffer.concat(received), methods), hung };
}

/** Resolves when the socket closes, when it has been silent after an answer, or after `mostMs`. */
function finished(socket: Socket, received: readonly Buffer[], mostMs: number): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => {
    const deadline = setTimeout(resolve, mostMs);
    const end = (): void => {
      clearTimeout(deadline);
      resolve();
    };
    socket.once("close", end);
    socket.setTimeout(SILENCE_MS, () => received.length > 0 && end());
  });
}
