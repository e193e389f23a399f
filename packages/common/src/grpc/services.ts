import type { MethodDefinition } from "@grpc/grpc-js";
import { rhone } from "@rhone/proto";
import type { Role } from "../security/peer.js";

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

const serialize =
  <T>(codec: Codec<T>) =>
  (message: T): Buffer => {
    const bytes = codec.encode(message).finish();
    return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };

/** A method, and who may call it. */
export type GuardedMethod<Req, Res> = MethodDefinition<Req, Res> & { readonly callers: readonly Role[] };

// biome-ignore lint/suspicious/noExplicitAny: methods of a service have different messages
export type GuardedService = Readonly<Record<string, GuardedMethod<any, any>>>;

export function guardedMethod<Req, Res>(
  path: string,
  [request, response]: readonly [Codec<Req>, Codec<Res>],
  traits: { readonly requestStream: boolean; readonly responseStream: boolean; readonly callers: readonly Role[] },
): GuardedMethod<Req, Res> {
  return {
    path,
    ...traits,
    requestSerialize: serialize(request),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: serialize(response),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

export type Frame = rhone.v1.Frame.$Properties;
export type FlowEnd = rhone.v1.FlowEnd.$Properties;
export type WorkerMessage = rhone.v1.WorkerMessage.$Properties;
export type CoordinatorMessage = rhone.v1.CoordinatorMessage.$Properties;

export type Heartbeat = rhone.v1.Heartbeat.$Properties;
type HeartbeatTaken = rhone.v1.HeartbeatTaken.$Properties;

const { Frame, FlowEnd, WorkerMessage, CoordinatorMessage, Heartbeat, HeartbeatTaken } = rhone.v1;

/** rhone.v1.Pipeline: frames flow from one stage to the next; nothing flows back. */
export const pipelineService = {
  flow: guardedMethod<Frame, FlowEnd>("/rhone.v1.Pipeline/Flow", [Frame, FlowEnd], {
    requestStream: true,
    responseStream: false,
    callers: ["coordinator", "worker"],
  }),
} as const satisfies GuardedService;

/** rhone.v1.Control: a worker's connection to its coordinator. */
export const controlService = {
  join: guardedMethod<WorkerMessage, CoordinatorMessage>(
    "/rhone.v1.Control/Join",
    [WorkerMessage, CoordinatorMessage],
    {
      requestStream: true,
      responseStream: true,
      callers: ["worker"],
    },
  ),
  beat: guardedMethod<Heartbeat, HeartbeatTaken>("/rhone.v1.Control/Beat", [Heartbeat, HeartbeatTaken], {
    requestStream: false,
    responseStream: false,
    callers: ["worker"],
  }),
} as const satisfies GuardedService;

/** The version of the wire contracts in proto/. A coordinator refuses workers of another version. */
export const PROTOCOL_VERSION = 6;
