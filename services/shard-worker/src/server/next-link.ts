import { Client, type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import { type Ack, CHANNEL_OPTIONS, type Frame, type Logger, pipelineService } from "@rhone/common";

/** The stream to the downstream neighbour, for one epoch. When it breaks, the coordinator opens the next epoch. */
export class NextLink {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<Frame, Ack>;
  #open = true;

  constructor(address: string, logger: Logger) {
    this.#client = new Client(address, credentials.createInsecure(), {
      ...CHANNEL_OPTIONS,
      "grpc.use_local_subchannel_pool": 1,
    });
    const { path, requestSerialize, responseDeserialize } = pipelineService.flow;
    this.#stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#stream.on("data", () => {}); // acknowledgements
    this.#stream.on("error", (err) => {
      if (this.#open) logger.warn({ err, next: address }, "link to the next stage broke");
      this.#open = false;
    });
  }

  send(frame: Frame): void {
    if (this.#open) this.#stream.write(frame);
  }

  close(): void {
    this.#open = false;
    this.#stream.cancel();
    this.#client.close();
  }
}
