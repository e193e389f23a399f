import { type AddressInfo, createServer, type Server as TcpServer } from "node:net";
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
import { type ListenAddress, listenOrExplain } from "../observability/listen.js";
import { type Expected, SECRET_HEADER, type Security } from "../security/security.js";
import { type CallerLimits, Callers } from "./callers.js";
import { clientCredentials, serverCredentials } from "./credentials.js";
import { Entrance } from "./entrance.js";
import { toGrpcStatus } from "./error-status.js";
import { ServerWatch } from "./server-watch.js";
import { type GuardedMethod, type GuardedService, MOST_FRAME_BYTES } from "./services.js";

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
  readonly #tcp: TcpServer;
  readonly #server: Server;
  readonly #callers: Callers;

  private constructor(tcp: TcpServer, server: Server, callers: Callers) {
    this.#tcp = tcp;
    this.#server = server;
    this.#callers = callers;
    this.port = (tcp.address() as AddressInfo).port;
  }

  /**
   * Binds; port 0 is any free one. `addServices` adds the handlers, which only see calls of the callers that their
   * methods are for. Throws PORT_IN_USE, and INVALID_CONFIG for a host that is not an address of this machine or that
   * other machines would reach without TLS, and for a port that needs more rights.
   */
  static async open(
    { security, limits, mostFrameBytes = () => MOST_FRAME_BYTES, ...address }: ServerAddress,
    addServices: (services: Services) => void,
  ): Promise<GrpcServer> {
    security.checkExposure(address.host);
    const methods = new Map<string, AnyMethod>();
    const callers = new Callers(security, limits);
    const server = new Server({
      ...OPTIONS,
      ...PATIENCE,
      interceptors: [guard({ security, methods, callers, mostFrameBytes })],
    });
    addServices({
      addService: (service, implementation) => {
        for (const method of Object.values(service)) methods.set(method.path, method);
        server.addService(service, implementation);
      },
    });
    const connections = server.createConnectionInjector(serverCredentials(security));
    const entrance = new Entrance((socket) => connections.injectConnection(socket));
    const tcp = createServer({ noDelay: true }, (socket) => {
      callers.follow(socket);
      entrance.add(socket);
    });
    await listenOrExplain(tcp, address);
    return new GrpcServer(tcp, server, callers);
  }

  /** Ends all connections at once. */
  close(): void {
    this.#tcp.close();
    this.#server.forceShutdown();
    this.#callers.close();
  }
}

interface ServerAddress extends ListenAddress {
  readonly security: Security;
  readonly limits?: Partial<CallerLimits>;
  /** Asked for each call: the largest frame that may come, where that is known. */
  readonly mostFrameBytes?: (() => number) | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: methods have different messages
type AnyMethod = GuardedMethod<any, any>;

interface Guarded {
  readonly security: Security;
  readonly methods: ReadonlyMap<string, AnyMethod>;
  readonly callers: Callers;
  readonly mostFrameBytes: () => number;
}

/** Refuses a call before any of its messages is read, and a message that is too long at its first bytes. */
const guard =
  ({ security, methods, callers, mostFrameBytes }: Guarded): ServerInterceptor =>
  ({ path }, call) => {
    const method = methods.get(path);
    const roles = method?.callers ?? [];
    const mostBytes = Math.min(method?.mostBytes ?? 0, mostFrameBytes());
    keepMessagesTo(mostBytes, call);
    let release = (): void => {};
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            if (!callers.hear(call)) return;
            const refusal = security.refusalOf(call, metadata, { path, callers: roles });
            if (refusal !== null) return call.sendStatus(toGrpcStatus(refusal));
            try {
              release = callers.admit(call, mostBytes);
            } catch (error) {
              return call.sendStatus(toGrpcStatus(error));
            }
            pass(metadata);
          },
          onCancel: () => release(),
        }),
    });
  };

/** gRPC's library has one limit for all methods of a server: a call of 64 KiB at most could make it keep 64 MiB. */
function keepMessagesTo(mostBytes: number, call: object): void {
  const inside = call as { readonly decoder: { maxReadMessageLength: number }; maxReceiveMessageSize: number };
  inside.maxReceiveMessageSize = mostBytes;
  inside.decoder.maxReadMessageLength = mostBytes;
}
