import { stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createDataDir, dataDirAt } from "./data-dir.js";
import { temporaryFolder } from "./testing/temporary-folder.js";

test("folders are made for their owner alone, and may exist already", async () => {
  const dataDir = dataDirAt(join(await temporaryFolder(), "a", "b"));
  await createDataDir(dataDir);
  await createDataDir(dataDir);
  for (const folder of [dataDir.root, dataDir.run, dataDir.logs, dataDir.models, dataDir.storage, dataDir.redis]) {
    expect((await stat(folder)).mode & 0o777, folder).toBe(0o700);
  }
});

test("a path that can't be a folder is refused with the way out", async () => {
  await expect(createDataDir(dataDirAt(import.meta.filename))).rejects.toMatchObject({
    code: "INVALID_CONFIG",
    message: expect.stringMatching(/can't be created.*--data-dir/),
  });
});
