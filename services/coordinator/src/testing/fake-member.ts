import { PassThrough } from "node:stream";
import type { CoordinatorMessage } from "@rhone/common";
import type { rhone } from "@rhone/proto";
import { Member } from "../workers/member.js";

/** A joined worker without a network, and the messages that the coordinator has sent to it. */
export function fakeMember(hello: Partial<rhone.v1.Hello.$Properties> & { readonly worker: string }) {
  const sent: CoordinatorMessage[] = [];
  const stream = new PassThrough({ objectMode: true });
  stream.on("data", (message: CoordinatorMessage) => sent.push(message));
  const member = new Member({
    hello: { address: `${hello.worker}:1`, hostname: hello.worker, memoryTotal: 1e9, ...hello },
    stream: stream as never,
    onSilent: () => {},
  });
  return { member, sent };
}
