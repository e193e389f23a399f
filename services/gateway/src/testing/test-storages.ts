import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { DiskStorage } from "../storage/disk/disk-storage.js";
import type { ObjectStorage } from "../storage/object-storage.js";
import { S3Storage } from "../storage/s3/s3-storage.js";
import { FakeS3 } from "./fake-s3.js";

export const SECRET = "secret-of-the-bucket";

/** A folder that is removed after the test. */
async function onDisk(): Promise<ObjectStorage> {
  const folder = mkdtempSync(join(tmpdir(), "rhone-storage-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return new DiskStorage(folder);
}

/** A bucket that is removed after the test. `callMs`: the longest a call may take. */
export async function inBucket({ callMs = 5000 } = {}): Promise<{ readonly s3: FakeS3; readonly storage: S3Storage }> {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "known");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", SECRET);
  const s3 = await FakeS3.start();
  const { bucket, endpoint } = s3;
  const storage = new S3Storage({ bucket, prefix: "a/b/", endpoint, region: undefined, pathStyle: undefined, callMs });
  onTestFinished(async () => {
    storage.close();
    await s3.close();
    vi.unstubAllEnvs();
  });
  return { s3, storage };
}

/** Every kind of storage; each must pass the same tests. */
export const STORAGES = [
  { place: "on disk", open: onDisk },
  { place: "in a bucket", open: async (): Promise<ObjectStorage> => (await inBucket()).storage },
] as const;
