import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { type Host, Network, sweepNetworks } from "@rhone/bench";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { runOn } from "./run-on.js";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";
import { WireShaper } from "./wire-shaper.js";

const ECHO_PORT = 7;
const LOOPBACK = "127.0.0.1";
const SILENT_AFTER_MS = 1000;

skipWithoutHosts();
let network: Network<"a" | "b" | "c">;
beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["a", "b", "c"]);
  const { b, c } = network.hosts;
  await Promise.all([echo(b, b.address), echo(c, c.address), echo(c, LOOPBACK)]);
});
afterAll(() => network?.close());

/** A server of `host` that sends back what it gets. */
async function echo(host: Host, address: string): Promise<void> {
  const code = `require("net").createServer((socket) => socket.on("error", () => {}).pipe(socket))
    .listen(${ECHO_PORT}, "${address}", () => console.log("listening"))`;
  const server = host.spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await once(server.stdout ?? server, "data");
}

/** What a process of `host` hears from the echo at `address`: "answered", "silent", or the error of the connection. */
async function ask(host: Host, address: string): Promise<string> {
  const code = `const socket = require("net").connect(${ECHO_PORT}, "${address}", () => socket.write("?"));
    const end = (text) => { console.log(text); process.exit(); };
    socket.on("data", () => end("answered")).on("error", ({ code }) => end(code));
    setTimeout(() => end("silent"), ${SILENT_AFTER_MS});`;
  return (await runOn(host, process.execPath, ["-e", code])).stdout.trim();
}

/** A connection of this process to the echo of `host`. */
async function connectTo(host: Host): Promise<Socket> {
  const socket = connect(ECHO_PORT, host.address);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket.setNoDelay();
}

/** Milliseconds until `bytes` bytes have come back. */
async function roundTrip(socket: Socket, bytes: number): Promise<number> {
  const began = performance.now();
  let missing = bytes;
  const whole = new Promise<void>((resolve) => {
    const take = (part: Buffer): void => {
      missing -= part.length;
      if (missing > 0) return;
      socket.off("data", take);
      resolve();
    };
    socket.on("data", take);
  });
  socket.write(Buffer.alloc(bytes));
  await whole;
  return performance.now() - began;
}

test("hosts reach each other, by address and by name, and this process reaches them", async () => {
  const { a, b } = network.hosts;
  expect(await Promise.all([ask(a, b.address), ask(a, "b"), ask(b, "c")])).toEqual([
    "answered",
    "answered",
    "answered",
  ]);
  expect(await roundTrip(await connectTo(b), 1)).toBeLessThan(1000);
});

test("a host's loopback is its own", async () => {
  const { a, b, c } = network.hosts;
  const heard = await Promise.all([a, b, c].map((host) => ask(host, LOOPBACK)));
  expect(heard).toEqual(["ECONNREFUSED", "ECONNREFUSED", "answered"]);
});

test("a host has a name and a folder, and sees nothing of the others' folders", async () => {
  const { a, b } = network.hosts;
  writeFileSync(join(a.folder, "of-a"), "");
  const code = `const { readdirSync } = require("fs"), { homedir, hostname } = require("os");
    console.log(JSON.stringify([hostname(), homedir(), process.cwd(), readdirSync("."), readdirSync("../a")]));`;
  const seen = async (host: Host) => JSON.parse((await runOn(host, process.execPath, ["-e", code])).stdout);
  expect(await seen(a)).toEqual(["a", a.folder, a.folder, ["of-a"], ["of-a"]]);
  expect(await seen(b)).toEqual(["b", b.folder, b.folder, [], []]);
  expect(hostname()).not.toBe("a");
});

test("a host without its cable hears nothing; with it, connections go on", async () => {
  const { b } = network.hosts;
  const socket = await connectTo(b);
  b.unplug();
  const answer = roundTrip(socket, 1);
  expect(await Promise.race([answer, ask(network.hosts.a, b.address)])).toBe("silent");
  b.plug();
  await answer;
});

test("a partition separates two hosts, and nobody else", async () => {
  const { a, b, c } = network.hosts;
  network.partition(b, c);
  const pairs = [ask(b, c.address), ask(c, b.address), ask(a, b.address), ask(a, c.address)];
  expect(await Promise.all(pairs)).toEqual(["silent", "silent", "answered", "answered"]);
  network.heal(b, c);
  expect(await Promise.all([ask(b, c.address), ask(c, b.address)])).toEqual(["answered", "answered"]);
});

test("a reset ends connections at both ends", async ({ skip }) => {
  const { b } = network.hosts;
  const socket = await connectTo(b);
  await roundTrip(socket, 1);
  const failed = once(socket, "error");
  const count = b.reset(network);
  skip(count === 0, "this kernel can't close sockets of others (CONFIG_INET_DIAG_DESTROY)");
  expect(await failed).toMatchObject([{ code: "ECONNRESET" }]);
});

test("a cable delays each frame, under connections that are open", async () => {
  const { b } = network.hosts;
  const socket = await connectTo(b);
  const cable = new WireShaper(b);
  await cable.shape({ delayMs: 30 });
  await roundTrip(socket, 1); // the switch learns where b is now
  const delayed = await roundTrip(socket, 1);
  expect(delayed).toBeGreaterThanOrEqual(59);
  expect(delayed).toBeLessThan(160);
  await cable.shape(null);
  expect(await roundTrip(socket, 1)).toBeLessThan(59);
});

test("a cable has a rate", async () => {
  const { b } = network.hosts;
  const socket = await connectTo(b);
  const cable = new WireShaper(b);
  await cable.shape({ bytesPerS: 1_000_000 });
  const slow = await roundTrip(socket, 500_000);
  expect(slow).toBeGreaterThan(490);
  expect(slow).toBeLessThan(2000);
  await cable.shape(null);
});

test("a cable loses frames, which TCP sends again", async () => {
  const { b } = network.hosts;
  const socket = await connectTo(b);
  const cable = new WireShaper(b);
  await cable.shape({ loss: 0.05 });
  await roundTrip(socket, 200_000);
  await cable.shape(null);
  const counters = (await runOn(b, "cat", ["/proc/net/snmp"])).stdout
    .split("\n")
    .filter((line) => line.startsWith("Tcp:"));
  const [names = [], values = []] = counters.map((line) => line.split(" "));
  expect(Number(values[names.indexOf("RetransSegs")])).toBeGreaterThan(0);
});

test("what a killed test run left is swept, its processes too", async () => {
  const owner = spawn("sleep", ["60"], { stdio: "ignore" });
  const pid = owner.pid ?? 0;
  const left = Network.open(["a"], { owner: pid });
  const inside = left.hosts.a.spawn("sleep", ["60"], { stdio: "ignore" });
  await expect.poll(() => readFileSync(`/proc/${inside.pid}/comm`, "utf8")).toBe("sleep\n");
  const traces = () =>
    ["/run/netns", "/etc/netns", "/sys/class/net", tmpdir()].map(
      (folder) => readdirSync(folder).filter((name) => name.startsWith(`rh-${pid}-`)).length,
    );
  sweepNetworks();
  expect(traces()).toEqual([2, 1, 1, 1]);
  const ended = Promise.all([once(owner, "exit"), once(inside, "exit")]);
  owner.kill("SIGKILL");
  await once(owner, "exit");
  sweepNetworks();
  expect(await ended).toEqual([
    [null, "SIGKILL"],
    [null, "SIGKILL"],
  ]);
  expect(traces()).toEqual([0, 0, 0, 0]);
  expect(existsSync(network.hosts.a.folder)).toBe(true);
});
