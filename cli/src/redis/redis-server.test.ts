import { describe, expect, it } from "vitest";
import { redisSettings } from "./redis-server.js";

const common = { binary: "redis-server", dataFolder: '/data/a "b"', runFolder: "/run" };

describe("redisSettings", () => {
  it("listens on a socket alone, and keeps an append-only file", () => {
    const settings = redisSettings({ ...common, address: { socket: "/run/redis.sock" } }).split("\n");
    expect(settings).toEqual(expect.arrayContaining(["port 0", 'unixsocket "/run/redis.sock"', "appendonly yes"]));
    expect(settings).toContain('dir "/data/a \\"b\\""');
  });

  it("asks for a password on a port", () => {
    const settings = redisSettings({ ...common, address: { port: 7777, password: "secret" } }).split("\n");
    expect(settings).toEqual(expect.arrayContaining(["bind 127.0.0.1", "port 7777", "requirepass secret"]));
  });
});
