import { Server, type ServerDuplexStream } from "@grpc/grpc-js";
import {
  type Ack,
  acknowledger,
  bindGrpc,
  CHANNEL_OPTIONS,
  type Frame,
  type ListenAddress,
  pipelineService,
} from "@rhone/common";

/** Serves rhone.v1.Pipeline: hands frames on and acknowledges them. */
export class PipelineServer {
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** Throws PORT_IN_USE. */
  static async open(address: ListenAddress, accept: (frame: Frame) => void): Promise<PipelineServer> {
    const server = new Server(CHANNEL_OPTIONS);
    server.addService(pipelineService, {
      flow: (stream: ServerDuplexStream<Frame, Ack>) => {
        const acknowledge = acknowledger(stream);
        stream.on("data", (frame: Frame) => {
          accept(frame);
          acknowledge(frame);
        });
        stream.on("end", () => stream.end());
        stream.on("error", () => {}); // the upstream neighbour is gone; the coordinator sees to it
      },
    });
    return new PipelineServer(server, await bindGrpc(server, address));
  }

  close(): void {
    this.#server.forceShutdown();
  }
}
