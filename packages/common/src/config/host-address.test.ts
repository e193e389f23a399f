import { describe, expect, it } from "vitest";
import { hostPort, hostPortSchema, hostSchema, isEveryInterface, loopbackOf } from "./host-address.js";

it.each([
  ["127.0.0.1", "127.0.0.1:80"],
  ["node-a", "node-a:80"],
  ["::1", "[::1]:80"],
  ["fd00::7", "[fd00::7]:80"],
  ["::ffff:10.0.0.1", "[::ffff:10.0.0.1]:80"],
])("%s with a port is %s", (host, address) => {
  expect(hostPort(host, 80)).toBe(address);
  expect(hostPortSchema.parse(address)).toBe(address);
});

it.each(["::1:80", "fd00::7", "[::1]", "[::1:80", "host", ":80", "host:port", "[node-a]:80", "http://a:80"])(
  "%s is no host with a port",
  (text) => {
    expect(hostPortSchema.safeParse(text).success).toBe(false);
  },
);

it.each([
  ["[::1]", "::1"],
  ["::1", "::1"],
  ["localhost", "localhost"],
])("%s is read as %s", (text, host) => expect(hostSchema.parse(text)).toBe(host));

it.each(["fe80::1%eth0", "[fe80::1%eth0]", "::1%lo"])("%s is refused for its zone", (host) => {
  const problem = /^must have no zone, as %eth0: URLs have none; listen on ::, /;
  expect(hostSchema.safeParse(host).error?.issues[0]?.message).toMatch(problem);
  expect(hostPortSchema.safeParse(`[${host}]:80`).error?.issues[0]?.message).toMatch(problem);
});

it.each(["", "127.0.0.1:80", "[::1]:80", "node-a:80", ":::1", "http://node-a", "a b", "[]"])(
  "%j is no host",
  (host) => {
    expect(hostSchema.safeParse(host).success).toBe(false);
  },
);

describe("every interface", () => {
  it.each(["0.0.0.0", "::", "::0", "0:0:0:0:0:0:0:0"])("is %s", (host) => expect(isEveryInterface(host)).toBe(true));

  it.each(["::1", "127.0.0.1", "fd00::", "node-0", "0"])("is not %s", (host) =>
    expect(isEveryInterface(host)).toBe(false),
  );
});

it.each([
  ["::", "::1"],
  ["fd00::7", "::1"],
  ["0.0.0.0", "127.0.0.1"],
  ["node-a", "127.0.0.1"],
])("beside %s a process of this machine is at %s", (host, own) => expect(loopbackOf(host)).toBe(own));
