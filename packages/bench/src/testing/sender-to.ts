import type { RequestListener } from "node:http";
import { onTestFinished } from "vitest";
import { Sender } from "../attacks/sender.js";
import { listen } from "./listen.js";

/** A sender to a server of this process that answers as `listener` does; both are closed when the test has ended. */
export async function senderTo(listener: RequestListener): Promise<Sender> {
  const url = await listen(listener);
  const sender = new Sender({ url, apiKey: undefined, signal: new AbortController().signal });
  onTestFinished(() => sender.close());
  return sender;
}
