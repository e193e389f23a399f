import { once } from "node:events";
import { type AddressInfo, connect, Socket } from "node:net";
import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { expect, it, onTestFinished, vi } from "vitest";
import { fakeGateway } from "../testing/fake-gateway.js";
import { endReadingOfTurn, readInTurns } from "./reading-turns.js";

function connected(): Socket {
  const connection = new Socket();
  readInTurns(connection);
  onTestFinished(() => void connection.destroy());
  return connection;
}

/** Reads from a connection until its turn is over. */
function readOut(connection: Socket, costly: Socket | null = connection): void {
  while (!connection.isPaused()) endReadingOfTurn(costly);
}

it("reads from all connections while a turn has time left", async () => {
  const [one, other] = [connected(), connected()];
  await turnOfTheLoop();
  endReadingOfTurn(one);
  expect([one.isPaused(), other.isPaused()]).toEqual([false, false]);
});

it("reads from none when a turn is over, and from all in the next", async () => {
  const [one, other] = [connected(), connected()];
  await turnOfTheLoop();
  readOut(one, null);
  expect([one.isPaused(), other.isPaused()]).toEqual([true, true]);
  await turnOfTheLoop();
  expect([one.isPaused(), other.isPaused()]).toEqual([false, false]);
});

it("lets costly connections rest, and reads on from one after another", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const [one, other, third] = [connected(), connected(), connected()];
  await turnOfTheLoop();
  const paused = async (): Promise<readonly boolean[]> => {
    await turnOfTheLoop();
    return [one, other, third].map((each) => each.isPaused());
  };
  readOut(one);
  expect(await paused()).toEqual([true, false, false]);
  readOut(other);
  expect(await paused()).toEqual([true, true, false]);
  vi.advanceTimersByTime(20);
  expect(await paused()).toEqual([false, true, false]);
  vi.advanceTimersByTime(20);
  expect(await paused()).toEqual([false, false, false]);
});

it("leaves a connection alone that waits for its reader", async () => {
  const [one, waiting] = [connected(), connected()];
  waiting.pause();
  await turnOfTheLoop();
  readOut(one);
  await expect.poll(() => one.isPaused()).toBe(false);
  expect(waiting.isPaused()).toBe(true);
});

it("holds for all connections of the gateway", async () => {
  const { app } = fakeGateway();
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  const [idle, busy] = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1").on("error", () => {})];
  onTestFinished(async () => {
    for (const each of [idle, busy]) each.destroy();
    await app.close();
  });
  const [served] = (await once(app.server, "connection")) as [Socket];
  const waits = once(served, "pause");
  const headers = "host: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked";
  busy.write(`POST /v1/completions HTTP/1.1\r\n${headers}\r\n\r\n${"1\r\n \r\n".repeat(200_000)}`);
  await waits;
  idle.write("GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
  expect(String((await once(idle, "data"))[0])).toMatch(/^HTTP\/1.1 200/);
});
