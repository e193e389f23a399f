import { randomUUID } from "node:crypto";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { checkPortIsFree, freePort, steadyPort } from "./ports.js";

const host = "127.0.0.1";

test("a free port can be bound, and stays free after the check", async () => {
  const port = await freePort();
  expect(port).toBeGreaterThan(0);
  await checkPortIsFree({ host, port });
  await checkPortIsFree({ host, port });
});

test("a steady port is free, and none that systems give to connections", async () => {
  const port = await steadyPort({ host, of: "a test" });
  expect(port).toBeLessThan(32_768);
  await checkPortIsFree({ host, port });
  expect(await steadyPort({ host, of: "another" })).not.toBe(port);
});

test("a steady port is the same again, unless another program has it", async () => {
  const of = randomUUID();
  const port = await steadyPort({ host, of });
  expect(await steadyPort({ host, of })).toBe(port);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  onTestFinished(() => void server.close());
  expect(await steadyPort({ host, of })).not.toBe(port);
});

test("a port that another program holds is named", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  await expect(checkPortIsFree({ host, port })).rejects.toMatchObject({
    code: "PORT_IN_USE",
    message: expect.stringContaining(`${host}:${port}`),
  });
});

test("an address of another machine can't be bound", async () => {
  await expect(checkPortIsFree({ host: "192.0.2.1", port: 0 })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
});

test("a port that is given up soon is waited for", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as { port: number };
  const free = checkPortIsFree({ host, port }, { withinMs: 15_000 });
  setImmediate(() => server.close());
  await free;
});
