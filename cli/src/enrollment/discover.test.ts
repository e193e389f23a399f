import { createSocket } from "node:dgram";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { announceDoor, findDoors } from "./discover.js";

const A = { name: "a", address: "10.0.0.1:7100", cluster: "0123456789abcdef" };

/** A place of the loopback in the multicast group's stead. */
async function freePlace() {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address() as AddressInfo;
  await new Promise<void>((resolve) => socket.close(resolve));
  return { host: "127.0.0.1", port };
}

async function announce(door: typeof A) {
  const at = await freePlace();
  const silent: string[] = [];
  const close = announceDoor({ ...door, onSilent: (why) => silent.push(why), at });
  onTestFinished(close);
  return { at, close, silent };
}

test("a cluster is found by its service, with the address that it admits machines at and its authority", async () => {
  const { at } = await announce(A);
  const found = await findDoors({ withinMs: 10_000, isEnough: () => true, at });
  expect(found).toEqual([{ address: A.address, cluster: A.cluster }]);
});

test("nothing is found where nobody answers, within the time", async () => {
  const { at, close } = await announce(A);
  close();
  expect(await findDoors({ withinMs: 20, at })).toEqual([]);
});

test("a search is ended by its signal", async () => {
  const reason = new Error("Interrupted.");
  const search = findDoors({ withinMs: 60_000, signal: AbortSignal.abort(reason), at: await freePlace() });
  await expect(search).rejects.toBe(reason);
});

test("packets of other forms change nothing, on either side", async () => {
  const { at, silent } = await announce(A);
  const stranger = createSocket("udp4");
  onTestFinished(() => void stranger.close());
  for (const noise of [Buffer.alloc(0), Buffer.from("no DNS"), Buffer.alloc(600, 0xc0)]) {
    await new Promise((resolve) => stranger.send(noise, at.port, at.host, resolve));
  }
  expect(await findDoors({ withinMs: 10_000, isEnough: () => true, at })).toHaveLength(1);
  expect(silent).toEqual([]);
});

test("a name or authority of another form is not taken", async () => {
  const { at } = await announce({ ...A, cluster: "none" });
  expect(await findDoors({ withinMs: 50, at })).toEqual([]);
});
