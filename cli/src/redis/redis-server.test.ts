import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createLogger } from "@rhone/common";
import { describe, expect, it, vi } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { redisSettings, startRedisServer } from "./redis-server.js";

const common = { dataFolder: '/data/a "b"' };

describe("redisSettings", () => {
  it("listens on a socket alone, and keeps an append-only file", () => {
    const settings = redisSettings({ ...common, address: { socket: "/run/redis.sock" } }).split("\n");
    expect(settings).toEqual(expect.arrayContaining(["port 0", 'unixsocket "/run/redis.sock"', "appendonly yes"]));
    expect(settings).toContain('dir "/data/a \\"b\\""');
    expect(settings).toContain("maxmemory-policy noeviction");
  });

  it("asks for a password on a port", () => {
    const settings = redisSettings({ ...common, address: { host: "127.0.0.1", port: 7777, password: "secret" } }).split(
      "\n",
    );
    expect(settings).toEqual(expect.arrayContaining(["bind 127.0.0.1", "port 7777", "requirepass secret"]));
  });
});

/** One line to standard error. */
const PRINTS = "echo '42:M 26 Nov 2026 13:30:23.359 # No memory' >&2";

describe("startRedisServer", () => {
  it("gives the server its settings by pipe, logs what it prints, records its process and stops it", async () => {
    const folder = await temporaryFolder();
    const binary = join(folder, "redis-server");
    await writeFile(
      binary,
      `#!/bin/sh\necho "$@" > ${folder}/args\ncat > ${folder}/settings\n${PRINTS}\nexec sleep 60\n`,
    );
    await chmod(binary, 0o755);
    const address = { host: "127.0.0.1", port: 7777, password: "secret" };
    const logger = createLogger({ service: "redis", level: "silent" });
    const warn = vi.spyOn(logger, "warn");
    const server = await startRedisServer({ binary, dataFolder: folder, runFolder: folder, address, logger });
    const read = (name: string) => readFile(join(folder, name), "utf8").catch(() => "");
    await expect.poll(() => read("settings")).toContain("requirepass secret");
    await expect.poll(() => warn.mock.calls).toEqual([[{ text: "No memory" }, "redis server"]]);
    expect(await read("args")).toBe("-\n"); // every user of the machine can read it
    expect(JSON.parse(await read("redis-server.json"))).toMatchObject({ pid: expect.any(Number) });
    await server.stop();
  });
});
