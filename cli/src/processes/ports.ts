import { createServer } from "node:net";
import { type ListenAddress, listenOrExplain } from "@rhone/common";

/** Throws PORT_IN_USE when another program listens there, INVALID_CONFIG when the address can't be bound at all. */
export async function checkPortIsFree(address: ListenAddress): Promise<void> {
  const probe = createServer();
  await listenOrExplain(probe, address);
  await new Promise<void>((resolve) => probe.close(() => resolve()));
}

/** A port of the loopback address `host` that is free now; another program may still take it. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  const probe = createServer();
  await listenOrExplain(probe, { host, port: 0 });
  const address = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return typeof address === "object" && address !== null ? address.port : 0;
}
