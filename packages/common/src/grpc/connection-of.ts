import type { ServerHttp2Session } from "node:http2";

/** A call as a handler or an interceptor of a server sees it. */
interface Wrapped {
  readonly stream?: { readonly session?: ServerHttp2Session };
  readonly call?: Wrapped;
  readonly nextCall?: Wrapped;
}

/** The connection that brought a call, which gRPC's library keeps to itself; undefined when it is gone. */
export function connectionOf(call: object): ServerHttp2Session | undefined {
  let inner: Wrapped | undefined = call as Wrapped;
  while (inner !== undefined && inner.stream === undefined) inner = inner.call ?? inner.nextCall;
  return inner?.stream?.session;
}

/** Counts the bytes that a connection has brought since it began. */
export function bytesFrom(connection: ServerHttp2Session | undefined): number {
  return connection === undefined || connection.destroyed ? 0 : connection.socket.bytesRead;
}
