import { Client, type ClientDuplexStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { type Ack, CHANNEL_OPTIONS, type Frame, fromGrpcError, pipelineService, RhoneError } from "@rhone/common";

/** The coordinator's Flow stream to stage 0. It breaks once and is not mended: a new epoch opens a new one. */
export class StageLink {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<Frame, Ack>;
  #closed = false;

  /** `onBroken` is called at most once, and never after `close`. */
  constructor(address: string, onBroken: (error: RhoneError) => void) {
    // A subchannel of its own: that of a dead predecessor may still wait to reconnect.
    const options = { ...CHANNEL_OPTIONS, "grpc.use_local_subchannel_pool": 1 };
    this.#client = new Client(address, credentials.createInsecure(), options);
    const { path, requestSerialize, responseDeserialize } = pipelineService.flow;
    this.#stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const broken = (error: RhoneError): void => {
      if (this.#closed) return;
      this.close();
      onBroken(error);
    };
    this.#stream.on("data", () => {}); // acknowledgements: the number in flight is bounded by the scheduler
    this.#stream.on("error", (error: ServiceError) => broken(fromGrpcError(error, `stage 0 at ${address}`)));
    this.#stream.on("end", () => broken(new RhoneError("WORKER_LOST", `Stage 0 at ${address} ended its stream.`)));
  }

  send(frame: Frame): void {
    this.#stream.write(frame);
  }

  close(): void {
    this.#closed = true;
    this.#stream.cancel();
    this.#client.close();
  }
}
