import type { Client, ClientReadableStream, MethodDefinition, ServiceError } from "@grpc/grpc-js";
import {
  fromGrpcError,
  type HashTensors,
  openChannel,
  type ReadWeights,
  RhoneError,
  type Security,
  type TensorHash,
  type WeightBytes,
  type WeightsDescription,
  weightsService,
} from "@rhone/common";

/** A peer that sends nothing for longer is given up. */
const STALL_MS = 30_000;

export interface WeightsClientOptions {
  /** host:port. */
  readonly address: string;
  /** What the process has to be. */
  readonly role: "coordinator" | "worker";
  /** Borrowed. */
  readonly security: Security;
  readonly stallMs?: number;
}

/** The client of one process that serves rhone.v1.Weights, on a connection of its own: weights delay no orders. */
export class WeightsClient {
  /** For messages: "the coordinator at 10.0.0.1:7100". */
  readonly peer: string;
  readonly #client: Client;
  readonly #stallMs: number;

  constructor({ address, role, security, stallMs = STALL_MS }: WeightsClientOptions) {
    this.peer = `the ${role} at ${address}`;
    this.#client = openChannel(address, { security, expect: { role }, ownConnection: true });
    this.#stallMs = stallMs;
  }

  /** Throws the peer's error, WORKER_LOST, and the signal's reason. */
  describe(fingerprint: string, signal: AbortSignal): Promise<WeightsDescription> {
    const { path, requestSerialize, responseDeserialize } = weightsService.describe;
    const deadline = Date.now() + this.#stallMs;
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const abort = (): void => call.cancel();
      const done = (error: ServiceError | null, description?: WeightsDescription): void => {
        signal.removeEventListener("abort", abort);
        if (description !== undefined) resolve(description);
        else reject(signal.aborted ? signal.reason : fromGrpcError(error as ServiceError, this.peer));
      };
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { fingerprint },
        { deadline },
        done,
      );
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  hash(query: HashTensors, signal: AbortSignal): AsyncGenerator<TensorHash> {
    return this.#messages(weightsService.hash, query, signal);
  }

  read(query: ReadWeights, signal: AbortSignal): AsyncGenerator<WeightBytes> {
    return this.#messages(weightsService.read, query, signal);
  }

  close(): void {
    this.#client.close();
  }

  /** Reads a message when it is asked for. Throws as `describe`, WORKER_LOST also for a peer that falls silent. */
  async *#messages<Query, Message>(
    { path, requestSerialize, responseDeserialize }: MethodDefinition<Query, Message>,
    query: Query,
    signal: AbortSignal,
  ): AsyncGenerator<Message> {
    signal.throwIfAborted();
    const stream = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, query);
    stream.on("error", () => {}); // of the cancellation; the others come out of the iterator
    const messages: AsyncIterator<Message> = stream[Symbol.asyncIterator]();
    const abort = (): void => stream.cancel();
    signal.addEventListener("abort", abort, { once: true });
    try {
      for (;;) {
        const { done, value } = await this.#next(messages, stream);
        signal.throwIfAborted();
        if (done) return;
        yield value;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof RhoneError ? error : fromGrpcError(error as ServiceError, this.peer);
    } finally {
      signal.removeEventListener("abort", abort);
      stream.cancel();
    }
  }

  async #next<Message>(
    messages: AsyncIterator<Message>,
    stream: ClientReadableStream<Message>,
  ): Promise<IteratorResult<Message>> {
    let isStalled = false;
    const timer = setTimeout(() => {
      isStalled = true;
      stream.cancel();
    }, this.#stallMs);
    try {
      return await messages.next();
    } catch (error) {
      if (!isStalled) throw error;
      throw new RhoneError("WORKER_LOST", `${this.peer} has sent nothing for ${this.#stallMs / 1000} s.`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
  }
}
