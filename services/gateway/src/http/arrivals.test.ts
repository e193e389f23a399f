import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { spin } from "../testing/spin.js";
import { timeLeft } from "../turns.js";
import { Arrivals } from "./arrivals.js";

const GET = "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n";
const PROBE = "GET /health HTTP/1.1\r\nhost: a\r\n\r\n";

/** A turn has time for four. */
const WORK_MS = 5;

/** Connections whose bytes take `ms` each; what was read, in order, and the most in one turn of the event loop. */
function reader(ms = WORK_MS) {
  const arrivals = new Arrivals();
  const read: string[] = [];
  const inTurns: number[] = [0];
  const turning = setInterval(() => inTurns.push(0));
  onTestFinished(() => clearInterval(turning));
  const open = (name: string, remoteAddress = "10.0.0.1", onClose?: () => void) => {
    const socket = Object.assign(new PassThrough({ autoDestroy: false }), { remoteAddress });
    const take = (what: string) => () => {
      inTurns.push((inTurns.pop() ?? 0) + 1);
      spin(ms);
      read.push(what);
    };
    socket.on("data", take(name)).on("end", take(`end of ${name}`));
    const close = () => {
      take(`close of ${name}`)();
      onClose?.();
    };
    if (onClose !== undefined) socket.on("close", close);
    arrivals.follow(socket);
    return socket;
  };
  return { open, read, mostInTurn: () => Math.max(...inTurns) };
}

const names = (count: number, of = ""): string[] => Array.from({ length: count }, (_, i) => `${of}${i}`);

describe("bytes of many connections at once", () => {
  it("are read in many turns, in their order", async () => {
    const { open, read, mostInTurn } = reader();
    for (const name of names(60)) open(name).write(GET);
    await expect.poll(() => read).toEqual(names(60));
    expect(mostInTurn()).toBeLessThanOrEqual(6);
  });

  it("are read for health checks before others, whose turns come too", async () => {
    const { open, read } = reader();
    for (const name of names(30)) open(name).write(GET);
    for (const name of names(30, "probe")) open(name).write(PROBE);
    await expect.poll(() => read).toHaveLength(60);
    expect(read.slice(0, 20).filter((name) => name.startsWith("probe")).length).toBeGreaterThanOrEqual(7);
    expect(read.slice(0, 20).filter((name) => !name.startsWith("probe")).length).toBeGreaterThanOrEqual(7);
  });

  it("have no turn before others by a health check that more requests follow", async () => {
    const { open, read } = reader();
    for (const name of names(20)) open(name).write(GET.repeat(2));
    open("many").write(PROBE.repeat(10));
    await expect.poll(() => read).toEqual([...names(20), "many"]);
  });

  it("are read for one small request before many large ones, and before several in one piece", async () => {
    const { open, read } = reader();
    for (const name of names(20)) open(name).write(`${GET}${"x".repeat(4000)}`);
    for (const name of names(20, "several")) open(name).write(GET.repeat(3));
    open("small").write(GET);
    await expect.poll(() => read).toHaveLength(41);
    expect(read.indexOf("small")).toBeLessThan(10);
  });

  it("are read by turns of the addresses", async () => {
    const { open, read } = reader();
    for (const name of names(40)) open(name).write(GET);
    open("other", "10.0.0.2").write(GET);
    await expect.poll(() => read).toHaveLength(41);
    expect(read.indexOf("other")).toBeLessThan(10);
  });

  it("pause a connection that sends more while some wait, or many, until they are read", async () => {
    const { open, read } = reader();
    const paused = new Set<string>();
    for (const name of names(10)) open(name).write(GET);
    const sockets = ["small", "again", "large"].map((name) => open(name).on("pause", () => paused.add(name)));
    const [small, again, large] = sockets;
    small?.write(GET);
    again?.write(GET);
    again?.write(GET);
    large?.write("x".repeat(17_000));
    await expect.poll(() => read.toSorted().slice(10)).toEqual(["again", "again", "large", "large", "small"]);
    expect([...paused].toSorted()).toEqual(["again", "large"]);
    await expect.poll(() => sockets.some((socket) => socket.isPaused())).toBe(false);
  });

  it("are dropped with a connection that closes before its turn", async () => {
    const { open, read } = reader();
    const sockets = names(20).map((name) => open(name));
    for (const socket of sockets) socket.write(GET);
    sockets[15]?.destroy();
    await expect.poll(() => read).toEqual(names(20).filter((name) => name !== "15"));
  });

  it("are read 16 KB at a time, however many came in one piece", async () => {
    const { open, read, mostInTurn } = reader();
    const [first, second] = [open("first"), open("second")];
    first.write(Buffer.alloc(300 * 1024));
    second.write(Buffer.alloc(300 * 1024));
    await expect.poll(() => read).toHaveLength(38);
    expect(mostInTurn()).toBeLessThanOrEqual(6);
    expect(read.slice(0, 20)).toContain("second");
  });

  it("of a POST are dropped when its client has left before their turn", async () => {
    const { open, read } = reader();
    const post = "POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n";
    for (const name of names(20)) open(name).end(post);
    for (const name of names(5, "get")) open(name).end(GET);
    await expect.poll(() => read.filter((what) => what.startsWith("end"))).toHaveLength(25);
    // Those that a turn had time for when they came.
    expect(read.filter((what) => /^\d/.test(what)).length).toBeLessThanOrEqual(6);
    expect(read).toEqual(expect.arrayContaining(names(5, "get")));
  });

  it("leave time to requests that have begun, though each takes a whole turn", async () => {
    const { open, read } = reader(25);
    for (const name of names(20)) open(name).write(GET);
    await timeLeft();
    expect(read.length).toBeLessThan(5);
    await expect.poll(() => read).toHaveLength(20);
  });

  it("end in many turns too, but for those that have closed", async () => {
    const { open, read, mostInTurn } = reader();
    const sockets = names(30).map((name) => open(name));
    for (const socket of sockets) socket.end(GET);
    sockets[25]?.destroy();
    const others = names(30).filter((name) => name !== "25");
    await expect.poll(() => read.filter((what) => what.startsWith("end")), { timeout: 5000 }).toHaveLength(29);
    expect(read.toSorted()).toEqual([...others, ...others.map((name) => `end of ${name}`)].toSorted());
    for (const name of others) expect(read.indexOf(name)).toBeLessThan(read.indexOf(`end of ${name}`));
    expect(mostInTurn()).toBeLessThanOrEqual(6);
  });

  it("are followed by closes in many turns, whose errors have no stacks", async () => {
    const { open, read, mostInTurn } = reader();
    const stacks: (string | undefined)[] = [];
    const sockets = names(30).map((name) => open(name, "10.0.0.1", () => stacks.push(new Error("aborted").stack)));
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => read).toEqual(names(30, "close of "));
    expect(mostInTurn()).toBeLessThanOrEqual(6);
    expect(new Set(stacks)).toEqual(new Set(["Error: aborted"]));
    expect(new Error("later").stack).toContain("arrivals.test");
  });

  it("wait while Node has paused the socket, because its client reads no answers", async () => {
    const arrivals = new Arrivals();
    const server = createServer(async (request, response) => {
      const { length } = await text(request);
      response.end(request.url === "/big" ? "x".repeat(16_000_000) : ` ${request.url} ${length};`);
    });
    server.on("connection", (socket) => arrivals.follow(socket));
    await once(server.listen(0, "127.0.0.1"), "listening");
    onTestFinished(() => void server.close());
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1").pause();
    socket.write("GET /big HTTP/1.1\r\nhost: a\r\n\r\n");
    await sleep(300);
    let isBusy = true;
    const work = (): void => {
      void timeLeft();
      spin(3 * WORK_MS);
      if (isBusy) setTimeout(() => setImmediate(work));
    };
    work();
    const head = "POST /b HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 300000\r\n\r\n";
    socket.write(`GET /a HTTP/1.1\r\nhost: a\r\n\r\n${head}${"z".repeat(300_000)}`);
    await sleep(700);
    isBusy = false;
    const answers = await text(socket);
    expect(answers.length).toBeGreaterThan(16_000_000);
    expect([...answers.slice(-1000).matchAll(/ \/. \d+;/g)].join("")).toBe(" /a 0; /b 300000;");
  });

  it("are whole and in order, however many pieces there are", async () => {
    const arrivals = new Arrivals();
    const server = createServer(async (request, response) => {
      const body = await text(request);
      spin(WORK_MS);
      response.end(`${body.length} ${body.at(-1)};`);
    });
    server.on("connection", (socket) => arrivals.follow(socket));
    await once(server.listen(0, "127.0.0.1"), "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const post = (fill: string, close = "") =>
      `POST / HTTP/1.1\r\nhost: a\r\n${close}content-length: 200000\r\n\r\n${fill.repeat(200_000)}`;
    const answers = names(20).map((name) => {
      const socket = connect(port, "127.0.0.1");
      socket.write(post("a") + post("b") + post(name.at(-1) ?? "", "connection: close\r\n"));
      return text(socket);
    });
    const bodies = (answer: string) => [...answer.matchAll(/\d+ .;/g)].join("");
    expect((await Promise.all(answers)).map(bodies)).toEqual(
      names(20).map((name) => `200000 a;200000 b;200000 ${name.at(-1)};`),
    );
  });

  it("end a body whose client left while it was read slowly", async () => {
    const arrivals = new Arrivals();
    const ends: string[] = [];
    const server = createServer(async (request) => {
      const read = async () => {
        for await (const _ of request) await sleep(20);
      };
      ends.push(await read().then(() => "whole", String));
    });
    server.on("connection", (socket) => arrivals.follow(socket));
    await once(server.listen(0, "127.0.0.1"), "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const body = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 300000\r\n\r\n".padEnd(150_000, "x");
    const working = setInterval(() => spin(2 * WORK_MS));
    onTestFinished(() => clearInterval(working));
    for (const _ of names(10))
      connect(port, "127.0.0.1")
        .on("error", () => {})
        .end(body);
    await expect.poll(() => ends, { timeout: 5000 }).toEqual(Array(10).fill("Error: aborted"));
  });
});
