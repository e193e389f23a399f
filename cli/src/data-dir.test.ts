import { readdir, readFile, stat } from "node:fs/promises";
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

test("the cluster's secret is made once, of 256 bits, for its owner alone", async () => {
  const dataDir = dataDirAt(await temporaryFolder());
  await Promise.all([createDataDir(dataDir), createDataDir(dataDir)]);
  const secret = await readFile(dataDir.clusterSecret, "utf8");
  expect(secret).toMatch(/^[\w-]{43}\n$/);
  expect((await stat(dataDir.clusterSecret)).mode & 0o777).toBe(0o600);
  await createDataDir(dataDir);
  expect(await readFile(dataDir.clusterSecret, "utf8")).toBe(secret);
  expect((await readdir(dataDir.root)).filter((file) => file.startsWith("cluster-secret"))).toHaveLength(1);
});

test.each(["/proc/rhone", import.meta.filename])(
  "%s can't be a folder, and is refused with the way out",
  async (path) => {
    const refusal = createDataDir(dataDirAt(path));
    await expect(refusal).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    await expect(refusal).rejects.toThrow(new RegExp(`^The data directory ${path} can't be created.*--data-dir`));
  },
);
