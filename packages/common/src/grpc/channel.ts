import { type ChannelOptions, Client, credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import { hostPort } from "../config/host-address.js";
import { explainBindError, type ListenAddress } from "../observability/listen.js";

const MiB = 1024 * 1024;

/**
 * Activations of a prefill step exceed gRPC's limit of 4 MiB per message and HTTP/2's window of 64 KiB. Keep-alive
 * pings notice a dead peer within 15 s. gRPC retries nothing, because frames are not idempotent.
 */
const OPTIONS: ChannelOptions = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.enable_retries": 0,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc-node.flow_control_window": 16 * MiB,
};

/**
 * The credentials of every connection between processes, decided here alone. There are none yet: only trusted machines
 * must be able to reach the ports of workers and coordinators.
 */
const clientCredentials = () => credentials.createInsecure();
const serverCredentials = () => ServerCredentials.createInsecure();

/**
 * A gRPC client of `address` (host:port, [::1]:port). It connects with the first call; the caller closes it. Clients of
 * one address share a connection, except those with `ownConnection`: the shared one may still be waiting to reconnect
 * to a process that died there.
 */
export function openChannel(address: string, { ownConnection = false } = {}): Client {
  return new Client(address, clientCredentials(), {
    ...OPTIONS,
    ...(ownConnection && { "grpc.use_local_subchannel_pool": 1 }),
  });
}

/** A gRPC server that is bound to a port. */
export class GrpcServer {
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /**
   * Binds; port 0 is any free one. `addServices` adds the handlers. Throws PORT_IN_USE, and INVALID_CONFIG for a host
   * that is not an address of this machine or a port that needs more rights.
   */
  static async open(address: ListenAddress, addServices: (server: Server) => void): Promise<GrpcServer> {
    const server = new Server(OPTIONS);
    addServices(server);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(hostPort(address.host, address.port), serverCredentials(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(explainBindError(withCode(error), address));
      });
    });
    return new GrpcServer(server, port);
  }

  /** Ends all connections at once. */
  close(): void {
    this.#server.forceShutdown();
  }
}

/** gRPC has the system's error code only in the message, and none for a host name that is not known. */
function withCode(error: Error): NodeJS.ErrnoException {
  const unknownHost = error.message.startsWith("Name resolution failed") ? "ENOTFOUND" : undefined;
  const code = /EADDRINUSE|EACCES|EADDRNOTAVAIL|EAFNOSUPPORT|EINVAL/.exec(error.message)?.[0] ?? unknownHost;
  return code === undefined ? error : Object.assign(error, { code });
}
