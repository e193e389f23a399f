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

/** A method, who may call it, and with how much. */
export type GuardedMethod<Req, Res> = MethodDefinition<Req, Res> & Pick<MethodTraits, "callers" | "mostBytes">;

// biome-ignore lint/suspicious/noExplicitAny: methods of a service have different messages
export type GuardedService = Readonly<Record<string, GuardedMethod<any, any>>>;

/** Activations of a frame, and what else is in it: what opens sequences (2 MiB in a step, more of one alone). */
export const MOST_ACTIVATION_BYTES = 48 * 2 ** 20;
const MOST_OTHER_BYTES = 16 * 2 ** 20;
export const MOST_FRAME_BYTES = MOST_ACTIVATION_BYTES + MOST_OTHER_BYTES;

/** The largest frame to a process whose steps have this many bytes of activations at most. */
export const frameBytes = (activationBytes: number): number =>
  Math.min(activationBytes + MOST_OTHER_BYTES, MOST_FRAME_BYTES);
/** A shard's times at 32 numbers of rows are 1 KB. */
const MOST_CONTROL_BYTES = 64 * 2 ** 10;

interface MethodTraits {
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly callers: readonly Role[];
  /** Longest message of a caller; a longer one ends the call at its first bytes. */
  readonly mostBytes: number;
}

export function guardedMethod<Req, Res>(
  path: string,
  [request, response]: readonly [Codec<Req>, Codec<Res>],
  traits: MethodTraits,
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
export type Heard = rhone.v1.Heard.$Properties;
export type WorkerMessage = rhone.v1.WorkerMessage.$Properties;
export type CoordinatorMessage = rhone.v1.CoordinatorMessage.$Properties;

export type Heartbeat = rhone.v1.Heartbeat.$Properties;
type HeartbeatTaken = rhone.v1.HeartbeatTaken.$Properties;

export type DescribeWeights = rhone.v1.DescribeWeights.$Properties;
export type WeightsDescription = rhone.v1.WeightsDescription.$Properties;
export type HashTensors = rhone.v1.HashTensors.$Properties;
export type TensorHash = rhone.v1.TensorHash.$Properties;
export type ReadWeights = rhone.v1.ReadWeights.$Properties;
export type WeightBytes = rhone.v1.WeightBytes.$Properties;

const { Frame, Heard, WorkerMessage, CoordinatorMessage, Heartbeat, HeartbeatTaken } = rhone.v1;
const { DescribeWeights, WeightsDescription, HashTensors, TensorHash, ReadWeights, WeightBytes } = rhone.v1;

/** rhone.v1.Pipeline: frames flow from one stage to the next; nothing flows back but that they are heard. */
export const pipelineService = {
  flow: guardedMethod<Frame, Heard>("/rhone.v1.Pipeline/Flow", [Frame, Heard], {
    requestStream: true,
    responseStream: true,
    callers: ["coordinator", "worker"],
    mostBytes: MOST_FRAME_BYTES,
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
      mostBytes: MOST_CONTROL_BYTES,
    },
  ),
  beat: guardedMethod<Heartbeat, HeartbeatTaken>("/rhone.v1.Control/Beat", [Heartbeat, HeartbeatTaken], {
    requestStream: false,
    responseStream: false,
    callers: ["worker"],
    mostBytes: MOST_CONTROL_BYTES,
  }),
} as const satisfies GuardedService;

/** The names of 10,000 tensors are 400 KB. */
const MOST_WEIGHTS_BYTES = 2 ** 20;
const WEIGHT_CALLERS = ["worker", "gateway", "coordinator"] as const;

/** rhone.v1.Weights: a model file's header and tensors, for machines that lack them. */
export const weightsService = {
  describe: guardedMethod<DescribeWeights, WeightsDescription>(
    "/rhone.v1.Weights/Describe",
    [DescribeWeights, WeightsDescription],
    { requestStream: false, responseStream: false, callers: WEIGHT_CALLERS, mostBytes: MOST_WEIGHTS_BYTES },
  ),
  hash: guardedMethod<HashTensors, TensorHash>("/rhone.v1.Weights/Hash", [HashTensors, TensorHash], {
    requestStream: false,
    responseStream: true,
    callers: WEIGHT_CALLERS,
    mostBytes: MOST_WEIGHTS_BYTES,
  }),
  read: guardedMethod<ReadWeights, WeightBytes>("/rhone.v1.Weights/Read", [ReadWeights, WeightBytes], {
    requestStream: false,
    responseStream: true,
    callers: WEIGHT_CALLERS,
    mostBytes: MOST_WEIGHTS_BYTES,
  }),
} as const satisfies GuardedService;

/** The version of the wire contracts in proto/. A coordinator refuses workers of another version. */
export const PROTOCOL_VERSION = 8;
