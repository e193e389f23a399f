import {
  type ChannelOptions,
  Client,
  connectivityState,
  InterceptingCall,
  type Interceptor,
  Server,
  ServerInterceptingCall,
  type ServerInterceptor,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { hostPort } from "../config/host-address.js";
import { explainBindError, type ListenAddress } from "../observability/listen.js";
import type { Role } from "../security/peer.js";
import { type Expected, SECRET_HEADER, type Security } from "../security/security.js";
import { clientCredentials, serverCredentials } from "./credentials.js";
import { toGrpcStatus } from "./error-status.js";
import { CallerConnections, ServerWatch } from "./revoked-peers.js";
import { type GuardedService, MOST_FRAME_BYTES } from "./services.js";

const MiB = 1024 * 1024;

/** Of one connection. A process has one stream of frames or orders to another, and short calls. */
const MOST_STREAMS = 64;

/**
 * Activations of a prefill step exceed gRPC's limit of 4 MiB per message and HTTP/2's window of 64 KiB. Keep-alive
 * pings of clients notice a dead peer within 15 s. gRPC retries nothing, because frames are not idempotent.
 */
const OPTIONS: ChannelOptions = {
  "grpc.max_receive_message_length": MOST_FRAME_BYTES,
  "grpc.max_send_message_length": MOST_FRAME_BYTES,
  "grpc.max_concurrent_streams": MOST_STREAMS,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.enable_retries": 0,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc-node.flow_control_window": 16 * MiB,
};

/** On a slow link, a ping or its answer may wait behind a long frame: where those flow, pings judge nothing. */
const PATIENCE: ChannelOptions = { "grpc.keepalive_timeout_ms": 300_000 };

/** In place of the host's name, which certificates do not have to have: peers are judged by role and name. */
const TLS_NAME = { "grpc.ssl_target_name_override": "rhone" };

export interface ChannelSettings {
  readonly security: Security;
  /** Who must answer. */
  readonly expect: Expected;
  /** Without it, clients of one address share a connection, which may still be waiting to reconnect after a loss. */
  readonly ownConnection?: boolean;
  /** How often bytes go to the server, for a caller that notices a dead one by itself. */
  readonly pingMs?: number;
}

/**
 * A gRPC client of `address` (host:port, [::1]:port). It connects with the first call, and calls fail unless the server
 * is the expected one; the caller closes it.
 */
export function openChannel(
  address: string,
  { security, expect, ownConnection = false, pingMs }: ChannelSettings,
): Client {
  const pings = pingMs !== undefined && { ...PATIENCE, "grpc.keepalive_time_ms": pingMs };
  const own = ownConnection && { "grpc.use_local_subchannel_pool": 1 };
  const options = { ...OPTIONS, ...own, ...pings };
  const { identity, secret } = security;
  if (identity === null) {
    const interceptors = secret === null ? [] : [withSecret(secret)];
    return new Client(
      address,
      clientCredentials(security, () => undefined),
      { ...options, interceptors },
    );
  }
  const isConnected = (): boolean => client.getChannel().getConnectivityState(false) === connectivityState.READY;
  const watch = new ServerWatch(security, expect, isConnected);
  const credentials = clientCredentials(security, (certificate) => watch.check(certificate));
  const client: Client = new Client(address, credentials, {
    ...options,
    ...TLS_NAME,
    interceptors: [watch.interceptor],
  });
  const close = client.close.bind(client);
  client.close = () => {
    watch.close();
    close();
  };
  return client;
}

const withSecret =
  (secret: string): Interceptor =>
  (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => {
        metadata.set(SECRET_HEADER, secret);
        next(metadata, listener);
      },
    });

/** What a server serves. */
export interface Services {
  addService(service: GuardedService, implementation: UntypedServiceImplementation): void;
}

/** A gRPC server that is bound to a port. */
export class GrpcServer {
  readonly port: number;
  readonly #server: Server;
  readonly #connections: CallerConnections;

  private constructor(server: Server, connections: CallerConnections, port: number) {
    this.#server = server;
    this.#connections = connections;
    this.port = port;
  }

  /**
   * Binds; port 0 is any free one. `addServices` adds the handlers, which only see calls of the callers that their
   * methods are for. Throws PORT_IN_USE, and INVALID_CONFIG for a host that is not an address of this machine or that
   * other machines would reach without TLS, and for a port that needs more rights.
   */
  static async open(
    { security, ...address }: ListenAddress & { readonly security: Security },
    addServices: (services: Services) => void,
  ): Promise<GrpcServer> {
    security.checkExposure(address.host);
    const callers = new Map<string, readonly Role[]>();
    const connections = new CallerConnections(security);
    const server = new Server({ ...OPTIONS, ...PATIENCE, interceptors: [guard({ security, callers, connections })] });
    addServices({
      addService: (service, implementation) => {
        for (const method of Object.values(service)) callers.set(method.path, method.callers);
        server.addService(service, implementation);
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(hostPort(address.host, address.port), serverCredentials(security), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(explainBindError(withCode(error), address));
      });
    });
    return new GrpcServer(server, connections, port);
  }

  /** Ends all connections at once. */
  close(): void {
    this.#connections.close();
    this.#server.forceShutdown();
  }
}

interface Guarded {
  readonly security: Security;
  readonly callers: ReadonlyMap<string, readonly Role[]>;
  readonly connections: CallerConnections;
}

/** Refuses a call before any of its messages is read. */
const guard =
  ({ security, callers, connections }: Guarded): ServerInterceptor =>
  ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const refusal = security.refusalOf(call, metadata, { path, callers: callers.get(path) ?? [] });
            if (refusal === null) {
              if (security.identity !== null) connections.note(call);
              return pass(metadata);
            }
            call.sendStatus(toGrpcStatus(refusal));
          },
        }),
    });

/** gRPC has the system's error code only in the message, and none for a host name that is not known. */
function withCode(error: Error): NodeJS.ErrnoException {
  const unknownHost = error.message.startsWith("Name resolution failed") ? "ENOTFOUND" : undefined;
  const code = /EADDRINUSE|EACCES|EADDRNOTAVAIL|EAFNOSUPPORT|EINVAL/.exec(error.message)?.[0] ?? unknownHost;
  return code === undefined ? error : Object.assign(error, { code });
}
