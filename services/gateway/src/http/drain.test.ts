import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { createLogger, type RhoneError } from "@rhone/common";
import { expect, onTestFinished, test } from "vitest";
import { fakeGateway } from "../testing/fake-gateway.js";
import { drain } from "./drain.js";

const logger = createLogger({ service: "test", level: "silent" });

/** A gateway with a request that has not arrived in whole, and `stop`, which drains it. */
async function scene(timeoutMs: number) {
  const { app } = fakeGateway();
  await app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  socket.write("GET /ready HTTP/1.1\r\nHost: a\r\n");
  expect((await fetch(`${url}/ready`)).status).toBe(200); // by then the other one's bytes are there
  const hurry = new AbortController();
  const stop = () => drain(app, { timeoutMs, hurry: hurry.signal, logger });
  return { url, socket, hurry, stop };
}

test("a gateway that stops takes no connection, and answers on those that are open that it is not ready", async () => {
  const { url, socket, stop } = await scene(60_000);
  const drained = stop();
  await expect
    .poll(() =>
      fetch(url).then(
        () => "answered",
        () => "refused",
      ),
    )
    .toBe("refused");
  socket.write("\r\n");
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 503 /);
  expect(answer).toMatch(/^connection: close\r$/im);
  expect(answer).toContain("The gateway is stopping");
  await drained;
});

test("a client that keeps its connection has an answer to a request that it sends when the gateway stops", async () => {
  const { url, socket: other, stop } = await scene(60_000);
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const ask = (): boolean => socket.write("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n");
  ask();
  await once(socket, "data");
  const drained = stop();
  ask();
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 503 /);
  expect(answer).toMatch(/^connection: close\r$/im);
  other.destroy();
  await drained;
});

test("those that still wait get a named error, whole or as an event; what can be fetched elsewhere breaks", async () => {
  const gateway = fakeGateway();
  const { app, client } = gateway;
  const reasons: RhoneError[] = [];
  client.generate = async function* ({ requestId }, signal) {
    yield { requestId, ordinal: 0, tokens: [72], text: "He" };
    if (!signal.aborted) await once(signal, "abort");
    reasons.push(signal.reason);
    throw signal.reason;
  };
  await app.listen({ host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/v1/completions`;
  const ask = (more: object, headers: Record<string, string> = {}) =>
    fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ prompt: "ab", ...more }),
    });
  const whole = ask({});
  const stream = await ask({ stream: true });
  const resumable = await ask({ stream: true, stream_options: { resumable: true } });
  const keyed = ask({}, { "idempotency-key": "a" }).then(
    () => "answered",
    () => "broke",
  );
  await expect.poll(async () => (await gateway.metrics.running.get()).values[0]?.value).toBe(4);
  const hurry = AbortSignal.abort();
  await drain(app, { timeoutMs: 60_000, hurry, logger });
  expect([(await whole).status, await (await whole).json()]).toMatchObject([503, { code: "shutting_down" }]);
  expect(await stream.text()).toMatch(/"text":"He"[\s\S]*"code":"shutting_down"/);
  await expect(resumable.text()).rejects.toThrow();
  expect(await keyed).toBe("broke");
  expect(
    reasons
      .map(({ code }) => code)
      .toSorted()
      .slice(-2),
  ).toEqual(["SHUTTING_DOWN", "SHUTTING_DOWN"]);
});

test.each([
  ["after its time", 50, false],
  ["when somebody is impatient", 60_000, true],
])("it closes the connections of what still runs %s", async (_, timeoutMs, isImpatient) => {
  const { socket, hurry, stop } = await scene(timeoutMs);
  const closed = once(socket, "close");
  socket.resume();
  socket.on("error", () => {});
  const drained = stop();
  if (isImpatient) hurry.abort();
  await Promise.all([closed, drained]);
});
