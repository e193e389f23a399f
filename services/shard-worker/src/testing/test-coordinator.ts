import type { ServerDuplexStream } from "@grpc/grpc-js";
import { type CoordinatorMessage, controlService, GrpcServer, type WorkerMessage } from "@rhone/common";

export type JoinStream = ServerDuplexStream<WorkerMessage, CoordinatorMessage>;

/** A worker's stream to the coordinator, and the Hello that it brought. */
export interface Joined {
  readonly stream: JoinStream;
  readonly hello: NonNullable<WorkerMessage["hello"]>;
}

/** The coordinator's end of the control plane: hands each worker that joins to the test. */
export class TestCoordinator {
  readonly address: string;
  readonly #server: GrpcServer;
  readonly #joins: AsyncIterator<Joined>;

  private constructor(server: GrpcServer, joins: AsyncIterator<Joined>) {
    this.#server = server;
    this.#joins = joins;
    this.address = `127.0.0.1:${server.port}`;
  }

  static async open(): Promise<TestCoordinator> {
    const joins = new Queue<Joined>();
    const join = (stream: JoinStream): void => {
      stream.on("error", () => {});
      stream.once("data", ({ hello }: WorkerMessage) => joins.push({ stream, hello: hello ?? {} }));
    };
    const server = await GrpcServer.open({ host: "127.0.0.1", port: 0 }, (services) =>
      services.addService(controlService, { join }),
    );
    return new TestCoordinator(server, joins);
  }

  /** The next worker that joins, once its Hello has arrived. */
  async nextJoin(): Promise<Joined> {
    return (await this.#joins.next()).value;
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
