import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** Passes bytes between a coordinator and Redis, and keeps them while it holds, as if the coordinator was stopped. */
export class RedisRelay {
  readonly url: string;
  readonly #sockets: Set<Socket>;
  #isHeld = false;

  private constructor(port: number, sockets: Set<Socket>) {
    this.url = `redis://127.0.0.1:${port}`;
    this.#sockets = sockets;
  }

  static async open(redisUrl: string): Promise<RedisRelay> {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (client) => {
      const redis = connect({ host: "127.0.0.1", port: Number(new URL(redisUrl).port), noDelay: true });
      client.pipe(redis).pipe(client);
      for (const socket of [client, redis]) {
        if (relay.#isHeld) socket.pause();
        sockets.add(socket);
        socket.on("error", () => socket.destroy());
        socket.on("close", () => sockets.delete(socket));
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const relay = new RedisRelay((server.address() as AddressInfo).port, sockets);
    onTestFinished(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return relay;
  }

  hold(): void {
    this.#isHeld = true;
    for (const socket of this.#sockets) socket.pause();
  }

  release(): void {
    this.#isHeld = false;
    for (const socket of this.#sockets) socket.resume();
  }
}
