import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

const INFO = "redis_version:7.0.0\r\nloading:0\r\n";

/** A TCP server that speaks as much of Redis' protocol as a connection, PING and the commands of hashes need. */
export class FakeRedis {
  readonly commands: (readonly string[])[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #hash = new Map<string, string>();
  /** Answered to every command that is not part of connecting, in place of its result. */
  failure: string | null = null;

  private constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      let text = "";
      socket.on("data", (data) => {
        text += data;
        const { commands, rest } = readCommands(text);
        text = rest;
        for (const command of commands) socket.write(this.#answer(command));
      });
      socket.on("error", () => {});
    });
  }

  static async start(): Promise<FakeRedis> {
    const redis = new FakeRedis();
    await new Promise<void>((resolve) => redis.#server.listen(0, "127.0.0.1", resolve));
    return redis;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Drops every connection; clients may connect again. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  async stop(): Promise<void> {
    this.drop();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer([name = "", ...args]: readonly string[]): string {
    this.commands.push([name.toLowerCase(), ...args]);
    switch (name.toLowerCase()) {
      case "info":
        return bulk(INFO);
      case "auth":
      case "client":
        return "+OK\r\n";
      default:
        return this.failure === null ? this.#result(name.toLowerCase(), args) : `-${this.failure}\r\n`;
    }
  }

  #result(name: string, [, ...args]: readonly string[]): string {
    const [field = "", value = ""] = args;
    switch (name) {
      case "ping":
        return "+PONG\r\n";
      case "hset":
        this.#hash.set(field, value);
        return ":1\r\n";
      case "hget":
        return bulk(this.#hash.get(field));
      case "hvals":
        return `*${this.#hash.size}\r\n${[...this.#hash.values()].map(bulk).join("")}`;
      case "hlen":
        return `:${this.#hash.size}\r\n`;
      case "hdel":
        return `:${args.filter((each) => this.#hash.delete(each)).length}\r\n`;
      default:
        return `-ERR unknown command '${name}'\r\n`;
    }
  }
}

const bulk = (text: string | undefined): string =>
  text === undefined ? "$-1\r\n" : `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/** Commands are arrays of strings: `*2\r\n$4\r\nHGET\r\n$1\r\na\r\n`. ASCII only. */
function readCommands(text: string): { readonly commands: readonly (readonly string[])[]; readonly rest: string } {
  const commands: string[][] = [];
  let rest = text;
  for (;;) {
    const words = Number(/^\*(\d+)\r\n/.exec(rest)?.[1] ?? Number.NaN);
    const parts = rest.split("\r\n");
    if (Number.isNaN(words) || parts.length < 2 + 2 * words) return { commands, rest };
    commands.push(parts.slice(1, 1 + 2 * words).filter((_, index) => index % 2 === 1));
    rest = parts.slice(1 + 2 * words).join("\r\n");
  }
}
