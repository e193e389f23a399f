import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { Sender } from "../attacks/sender.js";

/** A sender to a server of this process that answers as `listener` does; both are closed when the test has ended. */
export async function senderTo(listener: RequestListener): Promise<Sender> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sender = new Sender({ url, apiKey: undefined, signal: new AbortController().signal });
  onTestFinished(() => {
    sender.close();
    server.closeAllConnections();
    server.close();
  });
  return sender;
}
