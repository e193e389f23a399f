import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { diskUsage } from "./disk-usage.js";

test("the folders of a folder, with all that is in them", async () => {
  const root = mkdtempSync(join(tmpdir(), "rhone-disk-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "redis", "appendonlydir"), { recursive: true });
  mkdirSync(join(root, "logs"));
  writeFileSync(join(root, "redis", "appendonlydir", "incr.aof"), Buffer.alloc(100_000, 1));
  const { redis = 0, logs } = await diskUsage(root);
  expect(redis).toBeGreaterThanOrEqual(100_000);
  expect(redis).toBeLessThan(200_000);
  expect(logs).toBe(0);
});
