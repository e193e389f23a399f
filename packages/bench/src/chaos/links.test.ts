import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import type { ClusterStatus, WorkerStatus } from "@rhone/common";
import { expect, onTestFinished, test } from "vitest";
import { linksOf, localPortsOf, resetLink, whyNoResets } from "./links.js";

const worker = (pid: number, layers: WorkerStatus["layers"]) => ({ pid, layers, address: `127.0.0.1:${7000 + pid}` });
const pipeline = (changes: object = {}) =>
  ({
    ...{ state: "ready", address: "127.0.0.1:6000", operations: "127.0.0.1:6001" },
    workers: [worker(2, [8, 16]), worker(3, null), worker(1, [0, 8])],
    ...changes,
  }) as unknown as ClusterStatus;

test("a pipeline's links go from the coordinator through its stages and back, spares left out", () => {
  expect(linksOf([pipeline()])).toEqual([
    { name: "the coordinator to stage 0", to: "a stage", from: null, address: "127.0.0.1:7001" },
    { name: "stage 0 to stage 1", to: "a stage", from: 1, address: "127.0.0.1:7002" },
    { name: "stage 1 to the coordinator", to: "the coordinator", from: 2, address: "127.0.0.1:6000" },
  ]);
});

test("a pipeline that is not ready has none; of several each is named", () => {
  expect(linksOf([pipeline({ state: "loading" })])).toEqual([]);
  const links = linksOf([pipeline(), pipeline({ operations: "127.0.0.1:6101" })]);
  expect(links.map(({ name }) => name).at(-1)).toBe("stage 1 to the coordinator of the pipeline at 127.0.0.1:6101");
});

const LISTED = `0      0      127.0.0.1:38024 127.0.0.1:36663 users:(("node",pid=12,fd=24))
0      0          [::1]:38026     [::1]:36663 users:(("node",pid=123,fd=20))
`;

test("of the sockets that ss lists, those of a process are found", () => {
  expect(localPortsOf(LISTED, 12)).toEqual([38024]);
  expect(localPortsOf(LISTED, null)).toEqual([38024, 38026]);
  expect(localPortsOf("", 12)).toEqual([]);
});

test("a link is reset where this machine can do that", async ({ skip }) => {
  const why = await whyNoResets();
  skip(why !== null, why ?? "");
  const server = createServer((socket) => socket.on("error", () => {}));
  onTestFinished(() => void server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const error = once(socket, "error");
  const link = { from: process.pid, address: `127.0.0.1:${port}` };
  expect(await resetLink(link)).toBe(1);
  await error;
  expect(await resetLink(link)).toBe(0);
});
