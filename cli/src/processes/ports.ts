import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type ListenAddress, listenOrExplain, toRhoneError } from "@rhone/common";

const POLL_MS = 100;

/**
 * Throws PORT_IN_USE when another program still listens there after `withinMs`, INVALID_CONFIG when the address can't
 * be bound at all.
 */
export async function checkPortIsFree(address: ListenAddress, { withinMs = 0 } = {}): Promise<void> {
  const end = performance.now() + withinMs;
  for (;;) {
    const probe = createServer();
    try {
      await listenOrExplain(probe, address);
      await new Promise<void>((resolve) => probe.close(() => resolve()));
      return;
    } catch (error) {
      if (toRhoneError(error).code !== "PORT_IN_USE" || performance.now() >= end) throw error;
      await sleep(POLL_MS);
    }
  }
}

/** A port of the loopback address `host` that is free now; another program may still take it. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  const probe = createServer();
  await listenOrExplain(probe, { host, port: 0 });
  const address = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Below the ports that systems give to outgoing connections: from 32768 on Linux, from 49152 elsewhere. */
const STEADY_PORTS = [20_000, 32_000] as const;
const TRIES = 100;

/**
 * A free port that stays free while its process is started again: no connection gets it by chance. The same one for the
 * same name, as long as no other program has it. Throws PORT_IN_USE when a hundred are taken.
 */
export async function steadyPort({ host, of }: { readonly host: string; readonly of: string }): Promise<number> {
  const [first, end] = STEADY_PORTS;
  for (let tries = 1; ; tries++) {
    const drawn = createHash("sha256").update(`${of} ${tries}`).digest().readUInt32BE();
    const port = first + (drawn % (end - first));
    try {
      await checkPortIsFree({ host, port });
      return port;
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
}
