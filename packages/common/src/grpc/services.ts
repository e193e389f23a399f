import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import { rhone } from "@rhone/proto";

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

function method<Req, Res>(
  path: string,
  [request, response]: readonly [Codec<Req>, Codec<Res>],
  { responseStream }: { readonly responseStream: boolean },
): MethodDefinition<Req, Res> {
  return {
    path,
    requestStream: true,
    responseStream,
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

const { Frame, FlowEnd, WorkerMessage, CoordinatorMessage } = rhone.v1;

/** rhone.v1.Pipeline: frames flow from one stage to the next; nothing flows back. */
export const pipelineService = {
  flow: method<Frame, FlowEnd>("/rhone.v1.Pipeline/Flow", [Frame, FlowEnd], { responseStream: false }),
} as const satisfies ServiceDefinition;

/** rhone.v1.Control: a worker's connection to its coordinator. */
export const controlService = {
  join: method<WorkerMessage, CoordinatorMessage>("/rhone.v1.Control/Join", [WorkerMessage, CoordinatorMessage], {
    responseStream: true,
  }),
} as const satisfies ServiceDefinition;

/** The version of the wire contracts in proto/. A coordinator refuses workers of another version. */
export const PROTOCOL_VERSION = 3;
