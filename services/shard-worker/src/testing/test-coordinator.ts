import type { handleUnaryCall, ServerDuplexStream } from "@grpc/grpc-js";
import {
  type CoordinatorMessage,
  controlService,
  GrpcServer,
  type Heartbeat,
  hostPort,
  type WorkerMessage,
} from "@rhone/common";
import { PLAINTEXT } from "./plaintext.js";

export type JoinStream = ServerDuplexStream<WorkerMessage, CoordinatorMessage>;

/** A worker's stream to the coordinator, and the Hello that it brought. */
export interface Joined {
  readonly stream: JoinStream;
  readonly hello: NonNullable<WorkerMessage["hello"]>;
}

/** The coordinator's end of the control plane: hands each worker that joins, and each heartbeat, to the test. */
export class TestCoordinator {
  readonly address: string;
  readonly #server: GrpcServer;
  readonly #joins: AsyncIterator<Joined>;
  readonly #beats: AsyncIterator<Heartbeat>;

  private constructor(
    server: GrpcServer,
    heard: { address: string; joins: AsyncIterator<Joined>; beats: AsyncIterator<Heartbeat> },
  ) {
    this.#server = server;
    this.address = heard.address;
    this.#joins = heard.joins;
    this.#beats = heard.beats;
  }

  /** `letsGo`: it ends the stream of a worker that asks to leave. */
  static async open(host = "127.0.0.1", { letsGo = true } = {}): Promise<TestCoordinator> {
    const joins = new Queue<Joined>();
    const beats = new Queue<Heartbeat>();
    const join = (stream: JoinStream): void => {
      stream.on("error", () => {});
      stream.once("data", ({ hello }: WorkerMessage) => joins.push({ stream, hello: hello ?? {} }));
      stream.on("data", ({ leave }: WorkerMessage) => leave != null && letsGo && stream.end());
    };
    const beat: handleUnaryCall<Heartbeat, object> = ({ request }, answer) => {
      beats.push(request);
      answer(null, {});
    };
    const server = await GrpcServer.open({ host, port: 0, security: PLAINTEXT }, (services) =>
      services.addService(controlService, { join, beat }),
    );
    return new TestCoordinator(server, { address: hostPort(host, server.port), joins, beats });
  }

  /** The next worker that joins, once its Hello has arrived. */
  async nextJoin(): Promise<Joined> {
    return (await this.#joins.next()).value;
  }

  /** The next heartbeat of any worker. */
  async nextBeat(): Promise<Heartbeat> {
    return (await this.#beats.next()).value;
  }

  close(): void {
    this.#server.close();
  }
}

/** The next message of a worker. */
export const nextMessage = (stream: JoinStream): Promise<WorkerMessage> =>
  new Promise((resolve) => stream.once("data", resolve));

/** Items in order of arrival, each taken once; taking waits for one. */
class Queue<T> implements AsyncIterator<T> {
  readonly #items: T[] = [];
  readonly #takers: ((result: IteratorResult<T>) => void)[] = [];

  push(value: T): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#items.push(value);
    else taker({ value });
  }

  next(): Promise<IteratorResult<T>> {
    const [value] = this.#items.splice(0, 1);
    if (value !== undefined) return Promise.resolve({ value });
    return new Promise((resolve) => this.#takers.push(resolve));
  }
}
