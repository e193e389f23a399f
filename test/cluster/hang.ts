import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** For the environment of a process that `hang` is called for: it opens its inspector at a free port. */
export const HANGABLE = { NODE_OPTIONS: "--inspect-port=0" };

const LOOP = JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression: "for(;;);" } });

/** Has the event loop of a Node process turn no more: its inspector runs an endless loop. */
export async function hang(pid: number, logFile: string): Promise<void> {
  const places = () => [...readFileSync(logFile, "utf8").matchAll(/Debugger listening on ws:(\S+)/g)];
  const before = places().length;
  process.kill(pid, "SIGUSR1");
  while (places().length === before) await sleep(10);
  const url = new URL(`http:${places().at(-1)?.[1]}`);
  const socket = await new Promise<Duplex>((resolve, reject) => {
    const key = randomBytes(16).toString("base64");
    const websocket = { "sec-websocket-key": key, "sec-websocket-version": "13" };
    const asked = request(url, { headers: { connection: "Upgrade", upgrade: "websocket", ...websocket } });
    asked.once("upgrade", (_, stream) => resolve(stream));
    asked.once("error", reject);
    asked.end();
  });
  socket.on("error", () => {}); // it ends with the process
  // One text frame; a mask of zeros leaves the text as it is.
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | LOOP.length, 0, 0, 0, 0]), Buffer.from(LOOP)]));
}
