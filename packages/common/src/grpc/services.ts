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

function bidi<Req, Res>(path: string, request: Codec<Req>, response: Codec<Res>): MethodDefinition<Req, Res> {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: serialize(request),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: serialize(response),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

const { Frame, Ack, WorkerMessage, CoordinatorMessage } = rhone.v1;

export type Frame = rhone.v1.Frame.$Properties;
export type Ack = rhone.v1.Ack.$Properties;
export type WorkerMessage = rhone.v1.WorkerMessage.$Properties;
export type CoordinatorMessage = rhone.v1.CoordinatorMessage.$Properties;

/** rhone.v1.Pipeline: frames flow from a stage to the next, acknowledgements back. */
export const pipelineService = {
  flow: bidi<Frame, Ack>("/rhone.v1.Pipeline/Flow", Frame as Codec<Frame>, Ack as Codec<Ack>),
} as const satisfies ServiceDefinition;

/** rhone.v1.Control: a worker's line to its coordinator. */
export const controlService = {
  join: bidi<WorkerMessage, CoordinatorMessage>(
    "/rhone.v1.Control/Join",
    WorkerMessage as Codec<WorkerMessage>,
    CoordinatorMessage as Codec<CoordinatorMessage>,
  ),
} as const satisfies ServiceDefinition;

/** Of the wire contracts; a worker and a coordinator of different ones refuse each other. */
export const PROTOCOL_VERSION = 1;
