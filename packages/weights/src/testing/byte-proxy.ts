import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface ByteProxy {
  /** host:port, in front of the server. */
  readonly address: string;
  /** Bytes that the server has sent so far, of all protocols. */
  readonly sentBytes: () => number;
}

/**
 * A network in front of a server, for the time of a test. `cutAfter`: each of these numbers of bytes from the server
 * ends a connection, in order.
 */
export async function openByteProxy(target: string, cutAfter: readonly number[] = []): Promise<ByteProxy> {
  const [host = "", port = ""] = target.split(":");
  const cuts = [...cutAfter];
  const sockets = new Set<Socket>();
  let sent = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    let passed = 0;
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", end);
    }
    client.pipe(upstream);
    upstream.on("data", (bytes) => {
      sent += bytes.length;
      passed += bytes.length;
      client.write(bytes);
      if (passed < (cuts[0] ?? Number.POSITIVE_INFINITY)) return;
      cuts.shift();
      end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, sentBytes: () => sent };
}
