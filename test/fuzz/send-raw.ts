import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parseResponses, type RawResponse } from "./parse-responses.js";
import type { RawAttack } from "./raw-attack.js";

/** A server that has said something and is silent for so long has no more to say. */
const SILENCE_MS = 150;
const DEADLINE_MS = 20_000;
/** A request that never ends is not answered: nothing to wait for. */
const PATIENCE_MS = 1000;

export interface RawOutcome {
  readonly responses: readonly RawResponse[];
  /** The server neither answered nor closed. */
  readonly hung: boolean;
}

/** Writes the attack's parts and gathers what comes back. Throws for what is not HTTP. */
export async function sendRaw(url: string, attack: RawAttack): Promise<RawOutcome> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  const received: Buffer[] = [];
  let [closed, heardAt] = [false, performance.now()];
  socket.on("error", () => {});
  socket.on("close", () => {
    closed = true;
  });
  socket.on("data", (part) => {
    received.push(part);
    heardAt = performance.now();
  });
  await once(socket, "connect");
  for (const part of attack.parts) {
    if (closed) break;
    socket.write(part);
    if (attack.parts.length > 1) await sleep(attack.pauseMs);
  }
  const startedAt = performance.now();
  if (attack.end === "half-close") socket.end();
  if (attack.end !== "destroy") {
    const isSilent = () => received.length > 0 && performance.now() - heardAt > SILENCE_MS;
    const mostMs = attack.end === "half-close" || received.length > 0 ? DEADLINE_MS : PATIENCE_MS;
    while (!closed && !isSilent() && performance.now() - startedAt < mostMs) await sleep(10);
  }
  const hung = attack.end === "half-close" && !closed && received.length === 0;
  socket.destroy();
  const methods = [Buffer.concat(attack.parts).toString("latin1").trimStart().split(" ")[0] ?? ""];
  return { responses: parseResponses(Buffer.concat(received), methods), hung };
}
