import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import type { handleUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import {
  clipped,
  type DescribeWeights,
  type HashTensors,
  type Logger,
  nameOf,
  peerOf,
  type ReadWeights,
  RhoneError,
  type TensorHash,
  toGrpcStatus,
  type WeightBytes,
  type WeightsDescription,
} from "@rhone/common";
import { readTensorBytes } from "@rhone/model";
import type { Extent } from "../files/hash-thread.js";
import type { TensorHashes, WeightsFile } from "../files/tensor-hashes.js";
import type { FairRate } from "./fair-rate.js";

/** What a process has to give. */
export interface ServedWeights {
  /** Of the model, for clients; "" where it is not known. */
  readonly name: string;
  readonly file: WeightsFile;
  /** Names of the tensors that can be read; null: all. */
  readonly tensors: ReadonlySet<string> | null;
  /** Null: it has none to tell. */
  readonly hashes: TensorHashes | null;
}

export interface WeightServerOptions {
  /** Asked for each call; null: nothing. */
  readonly served: () => Promise<ServedWeights | null>;
  readonly rate: Pick<FairRate, "pass">;
  readonly onSent: (bytes: number) => void;
  readonly logger: Logger;
}

/** Bytes of one message, which a stream has up to 16 of in memory. */
const PIECE_BYTES = 64 << 10;
/** Of Hash and Read together: 64 machines, each with one of both. */
const MOST_CALLS = 128;
/** Of one member, which reads by two and hashes by one; without certificates, of one connection. */
const MOST_OF_ONE = 8;
/** Tensors or pieces of one call. Mixtral 8x22B has 563. */
const MOST_NAMES = 16_384;
/** A reader that takes nothing for longer is given up. */
const STALL_MS = 60_000;
/** How often a reader hears that a hash is still being computed. */
const STILL_MS = 5_000;
/** A name that is not of the file may be as long as a message. */
const named = (name: string): string => clipped(name, 200);

type Out<Query, Message> = ServerWritableStream<Query, Message>;
type Ending = Pick<Out<unknown, unknown>, "once" | "emit" | "end" | "getPeer" | "getAuthContext">;

/** Whose calls are counted together. */
function readerOf(call: Ending): string {
  const peer = peerOf(call);
  return peer === null ? call.getPeer() : nameOf(peer);
}

/** The handlers of rhone.v1.Weights. */
export class WeightServer {
  readonly #options: WeightServerOptions;
  #calls = 0;
  readonly #callsOf = new Map<string, number>();

  constructor(options: WeightServerOptions) {
    this.#options = options;
  }

  /** For GrpcServer's `addService(weightsService, …)`. */
  get handlers() {
    const describe: handleUnaryCall<DescribeWeights, WeightsDescription> = ({ request }, answer) => {
      this.#describe(request).then(
        (description) => answer(null, description),
        (error: unknown) => answer(toGrpcStatus(error)),
      );
    };
    return {
      describe,
      hash: (call: Out<HashTensors, TensorHash>) => this.#run(call, (signal) => this.#hash(call, signal)),
      read: (call: Out<ReadWeights, WeightBytes>) => this.#run(call, (signal) => this.#read(call, signal)),
    };
  }

  async #describe({ fingerprint }: DescribeWeights): Promise<WeightsDescription> {
    const { name, file, tensors } = await this.#served(fingerprint);
    const parts = file.parts.map(({ bytes, headerBytes }) => ({ bytes, headerBytes }));
    return { fingerprint: file.headerFingerprint, parts, tensors: [...(tensors ?? [])], name };
  }

  async #hash(call: Out<HashTensors, TensorHash>, signal: AbortSignal): Promise<void> {
    const names = bounded(call.request.tensors ?? [], "tensors");
    const { hashes } = await this.#served(call.request.fingerprint);
    if (hashes === null) throw new RhoneError("NOT_FOUND", "Only the coordinator tells the hashes of tensors.");
    for (const tensor of names) {
      const still = setInterval(() => call.write({}), STILL_MS);
      const hash = await hashes.of(call.getPeer(), tensor).finally(() => clearInterval(still));
      signal.throwIfAborted();
      await send(call, { tensor, sha256: Buffer.from(hash, "hex") }, signal);
    }
  }

  async #read(call: Out<ReadWeights, WeightBytes>, signal: AbortSignal): Promise<void> {
    const pieces = bounded(call.request.pieces ?? [], "pieces");
    const served = await this.#served(call.request.fingerprint);
    const extents = pieces.map((piece) => extentOf(served, piece));
    const handles = new Map<string, FileHandle>();
    try {
      for (const path of new Set(extents.map(({ path }) => path))) handles.set(path, await open(path, "r"));
      for (const extent of extents) await this.#sendExtent(call, extent, { handles, signal });
    } finally {
      for (const handle of handles.values()) await handle.close();
    }
  }

  async #sendExtent(
    call: Out<ReadWeights, WeightBytes>,
    { path, offset, bytes }: Extent,
    { handles, signal }: { readonly handles: ReadonlyMap<string, FileHandle>; readonly signal: AbortSignal },
  ): Promise<void> {
    const handle = handles.get(path) as FileHandle;
    for (let done = 0; done < bytes; done += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, bytes - done);
      await this.#options.rate.pass(length, signal);
      const data = await readTensorBytes(handle, { name: path, offset: offset + done, bytes: length });
      await send(call, { data }, signal);
      this.#options.onSent(length);
    }
  }

  async #served(fingerprint: string | null | undefined): Promise<ServedWeights> {
    const served = await this.#options.served();
    if (served === null) throw new RhoneError("NOT_FOUND", "This process has no weights to give.");
    const own = served.file.headerFingerprint;
    if (!fingerprint || fingerprint === own) return served;
    throw new RhoneError(
      "MODEL_MISMATCH",
      `The file that was asked for has a header with the SHA-256 ${named(fingerprint)}, the one that is here ${own}.`,
    );
  }

  /**
   * Runs one call to its end: at most MOST_CALLS at a time, and MOST_OF_ONE of one reader. Its error becomes the call's
   * status.
   */
  #run(call: Ending, work: (signal: AbortSignal) => Promise<void>): void {
    const gone = new AbortController();
    const leave = (): void => gone.abort(new RhoneError("CANCELLED", "The reader is gone."));
    call.once("cancelled", leave);
    call.once("close", leave);
    const reader = readerOf(call);
    const problem = this.#whyNot(reader);
    if (problem !== null) {
      const refusal = new RhoneError("TOO_MANY_READERS", `${problem}, as many as may; try again shortly.`);
      call.emit("error", toGrpcStatus(refusal));
      return;
    }
    this.#count(reader, 1);
    work(gone.signal)
      .then(
        () => call.end(),
        (error: unknown) => {
          if (gone.signal.aborted) return;
          this.#options.logger.warn({ err: error, reader: call.getPeer() }, "weights could not be sent");
          call.emit("error", toGrpcStatus(error));
        },
      )
      .finally(() => this.#count(reader, -1));
  }

  #whyNot(reader: string): string | null {
    const own = this.#callsOf.get(reader) ?? 0;
    if (own >= MOST_OF_ONE) return `${own} calls of ${reader} are reading weights here`;
    return this.#calls >= MOST_CALLS ? `${this.#calls} calls are reading weights here` : null;
  }

  #count(reader: string, more: 1 | -1): void {
    this.#calls += more;
    const own = (this.#callsOf.get(reader) ?? 0) + more;
    if (own === 0) this.#callsOf.delete(reader);
    else this.#callsOf.set(reader, own);
  }
}

function bounded<T>(list: readonly T[], field: string): readonly T[] {
  if (list.length <= MOST_NAMES) return list;
  throw new RhoneError("INVALID_REQUEST", `${field} has ${list.length} items; at most ${MOST_NAMES} may be asked for.`);
}

/** Where the bytes of a piece are. Throws NOT_FOUND, INVALID_REQUEST. */
function extentOf({ file, tensors }: ServedWeights, piece: NonNullable<ReadWeights["pieces"]>[number]): Extent {
  const whole = piece.tensor ? tensorExtent(file, tensors, piece.tensor) : headerExtent(file, piece.header ?? 0);
  const from = piece.from ?? 0;
  if (from > whole.bytes) {
    throw new RhoneError("INVALID_REQUEST", `${piece.tensor || "the header"} has ${whole.bytes} bytes, not ${from}.`);
  }
  return { path: whole.path, offset: whole.offset + from, bytes: whole.bytes - from };
}

function tensorExtent(file: WeightsFile, held: ServedWeights["tensors"], name: string): Extent {
  const info = file.tensors.get(name);
  if (info !== undefined && (held === null || held.has(name))) return info;
  throw new RhoneError("NOT_FOUND", `The tensor ${named(name)} is not here.`);
}

function headerExtent(file: WeightsFile, number: number): Extent {
  const part = file.parts[number];
  if (part !== undefined) return { path: part.path, offset: 0, bytes: part.headerBytes };
  throw new RhoneError("NOT_FOUND", `The model has ${file.parts.length} files; there is no number ${number}.`);
}

/** Resolves when the next message may be written. Throws when the reader is gone or takes nothing for STALL_MS. */
async function send<Message>(call: Out<unknown, Message>, message: Message, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (call.write(message)) return;
  const stalled = AbortSignal.timeout(STALL_MS);
  await once(call, "drain", { signal: AbortSignal.any([signal, stalled]) }).catch((error: unknown) => {
    signal.throwIfAborted();
    if (!stalled.aborted) throw error;
    throw new RhoneError("DEADLINE_EXCEEDED", `The reader has taken nothing for ${STALL_MS / 1000} s.`);
  });
}
