import type { Client, ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import {
  type CoordinatorMessage,
  controlService,
  fromGrpcError,
  type Logger,
  openChannel,
  RhoneError,
  type WorkerMessage,
} from "@rhone/common";
import type { rhone } from "@rhone/proto";

const RETRY_MS = 500;
const DEFAULT_HEARTBEAT_MS = 1000;

export interface ControlLinkOptions {
  /** host:port of the coordinator. */
  readonly coordinator: string;
  readonly hello: rhone.v1.Hello.$Properties;
  readonly heartbeat: () => rhone.v1.Heartbeat.$Properties;
  readonly onMessage: (message: CoordinatorMessage, answer: (message: WorkerMessage) => void) => void;
  /** The coordinator is gone; the link tries again by itself. */
  readonly onLost: (error: RhoneError) => void;
  readonly logger: Logger;
  /** Before it joins again; RETRY_MS when absent. */
  readonly retryMs?: number;
}

type JoinStream = ClientDuplexStream<WorkerMessage, CoordinatorMessage>;

/** The worker's line to its coordinator. Joins, beats, and joins again for as long as the worker lives. */
export class ControlLink {
  readonly #options: ControlLinkOptions;
  readonly #client: Client;
  #stream: JoinStream | null = null;
  #heartbeat: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  #lastComplaint = "";

  constructor(options: ControlLinkOptions) {
    this.#options = options;
    this.#client = openChannel(options.coordinator);
    this.#join();
  }

  get joined(): boolean {
    return this.#heartbeat !== undefined;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#stopBeating();
    this.#stream?.end();
    this.#client.close();
  }

  #join(): void {
    const { path, requestSerialize, responseDeserialize } = controlService.join;
    const stream: JoinStream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#stream = stream;
    const answer = (message: WorkerMessage): void => {
      if (this.#stream === stream && !stream.writableEnded) stream.write(message);
    };
    stream.on("data", (message: CoordinatorMessage) => {
      if (message.welcome != null) this.#beat(message.welcome.heartbeatMs || DEFAULT_HEARTBEAT_MS, answer);
      else this.#options.onMessage(message, answer);
    });
    stream.on("error", (error: ServiceError) => this.#lost(stream, fromGrpcError(error, "the coordinator")));
    // In order, without an error: the coordinator gave this worker up while it was silent, or is shutting down.
    stream.on("end", () => {
      stream.end();
      this.#lost(stream, new RhoneError("WORKER_LOST", `${this.#options.coordinator} ended the connection.`));
    });
    stream.write({ hello: this.#options.hello });
  }

  #beat(intervalMs: number, answer: (message: WorkerMessage) => void): void {
    this.#stopBeating();
    this.#lastComplaint = "";
    this.#options.logger.info({ coordinator: this.#options.coordinator }, "joined");
    this.#heartbeat = setInterval(() => answer({ heartbeat: this.#options.heartbeat() }), intervalMs);
  }

  #lost(stream: JoinStream, error: RhoneError): void {
    if (this.#closed || this.#stream !== stream) return;
    this.#stream = null;
    const wasJoined = this.joined;
    this.#stopBeating();
    if (error.message !== this.#lastComplaint) this.#options.logger.warn({ err: error }, "not joined; trying again");
    this.#lastComplaint = error.message;
    if (wasJoined) this.#options.onLost(error);
    this.#retry = setTimeout(() => this.#join(), this.#options.retryMs ?? RETRY_MS);
  }

  #stopBeating(): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}
