import { buffer } from "node:stream/consumers";
import { createLogger } from "@rhone/common";
import { describe, expect, test, vi } from "vitest";
import { FileStore } from "../../files/file-store.js";
import type { Trouble } from "../../testing/fake-s3.js";
import { inBucket, SECRET } from "../../testing/test-storages.js";
import { openStorage } from "../open-storage.js";
import { storageLocationSchema } from "../storage-settings.js";

const MiB = 1 << 20;
const logger = createLogger({ service: "gateway", level: "silent" });

/** The number of failures to play for each kind of request. */
function troubled(trouble: Trouble, times: number) {
  const counts = new Map<string, number>();
  return (kind: string): Trouble | undefined => {
    const before = counts.get(kind) ?? 0;
    counts.set(kind, before + 1);
    return before < times ? trouble : undefined;
  };
}

describe.each(["error", "cut", "cut after"] as const)("each request in trouble once: %s", (trouble) => {
  test("files are written and read all the same", async () => {
    const { s3, storage } = await inBucket();
    s3.trouble = troubled(trouble, 1);
    const bytes = Buffer.alloc(20 * MiB, "0123456789abcdefg");
    const upload = await storage.upload("files/x");
    await upload.write(bytes);
    await upload.finish();
    expect(bytes.equals(await buffer(storage.read("files/x")))).toBe(true);
    await storage.put("y", "text");
    expect((await storage.get("y"))?.toString()).toBe("text");
    expect(await storage.list("files")).toEqual(["x"]);
    // An upload whose beginning was not answered was begun twice.
    await storage.removeUnfinished("files", Date.now() + 3600_000);
    expect(s3.uploads.size).toBe(0);
  });
});

test("a service that does not answer is named within the limit", async () => {
  const { s3, storage } = await inBucket({ callMs: 50 });
  s3.trouble = () => "hang";
  const calls = [
    storage.get("x"),
    storage.put("x", "text"),
    storage.delete("x"),
    storage.list("x"),
    storage.writtenAtMs("x"),
    buffer(storage.read("x")),
  ];
  for (const call of await Promise.allSettled(calls)) {
    expect(call).toMatchObject({ status: "rejected", reason: { code: "STORAGE_UNAVAILABLE" } });
  }
});

test("an upload that fails says so, and leaves no parts", async () => {
  const { s3, storage } = await inBucket();
  s3.trouble = (kind) => (kind === "PUT part" ? "error" : undefined);
  const upload = await storage.upload("x");
  const write = async () => {
    for (;;) await upload.write(Buffer.alloc(MiB));
  };
  await expect(write()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  await upload.abort();
  await expect.poll(() => s3.uploads.size).toBe(0);
  expect(s3.objects.size).toBe(0);
});

test("an upload holds a few parts in memory, however slow the service is", async () => {
  const { s3, storage } = await inBucket();
  s3.trouble = (kind) => (kind === "PUT part" ? "hang" : undefined);
  const upload = await storage.upload("x");
  let accepted = 0;
  const writing = (async () => {
    for (;;) {
      await upload.write(Buffer.alloc(MiB));
      accepted += MiB;
    }
  })();
  writing.catch(() => {});
  await expect.poll(() => s3.asked.filter((kind) => kind === "PUT part").length).toBe(2);
  expect(accepted).toBeLessThanOrEqual(26 * MiB);
  await upload.abort();
});

test("a segment of a log that may have been written is written again under another name", async () => {
  const { s3, storage } = await inBucket();
  s3.trouble = (kind) => (kind === "PUT" ? "error" : undefined);
  const log = await storage.openLog("x/log");
  await log.append("one");
  await expect(log.sync()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  s3.trouble = () => undefined;
  await log.append("two");
  await log.close();
  expect((await storage.get("x/log-000002.jsonl"))?.toString()).toBe("one\ntwo\n");
});

test("what a dead process left of its uploads is removed after a day", async () => {
  const { s3, storage } = await inBucket();
  const files = new FileStore(storage);
  const unfinished = await files.create();
  await unfinished.write(Buffer.alloc(20 * MiB));
  await expect.poll(() => s3.uploads.size).toBe(1);
  await files.clean();
  expect(s3.uploads.size).toBe(1);
  await files.clean(Date.now() + 25 * 3600_000);
  expect(s3.uploads.size).toBe(0);
  await unfinished.discard();
});

describe("at the start", () => {
  const settings = (endpoint: string, url: string) => ({
    storage: storageLocationSchema.parse(url),
    s3Endpoint: endpoint,
    s3Region: undefined,
    s3PathStyle: undefined,
  });

  test("a bucket that is not there is a bad setting", async () => {
    const { s3 } = await inBucket();
    const opened = openStorage(settings(s3.endpoint, "s3://elsewhere"), logger);
    await expect(opened).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringMatching(/NoSuchBucket/),
    });
  });

  test("refused credentials are named without being told", async () => {
    const { s3 } = await inBucket();
    vi.stubEnv("AWS_ACCESS_KEY_ID", "unknown-key");
    const error: unknown = await openStorage(settings(s3.endpoint, "s3://bucket/x"), logger).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "INVALID_CONFIG", message: expect.stringMatching(/InvalidAccessKeyId/) });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(`${SECRET}|unknown-key`);
  });

  test("a service that is away is waited for", async () => {
    const { s3 } = await inBucket();
    s3.trouble = () => "error";
    const storage = await openStorage(settings(s3.endpoint, "s3://bucket/x/"), logger);
    s3.trouble = () => undefined;
    await storage.put("y", "text");
    expect([...s3.objects.keys()]).toEqual(["x/y"]);
    storage.close();
  });
});

test("failures later carry neither key nor signed request", async () => {
  const { storage } = await inBucket();
  vi.stubEnv("AWS_ACCESS_KEY_ID", "unknown-key");
  const lines: string[] = [];
  const error = await storage.put("x", "text").catch((thrown: Error) => thrown);
  lines.push(String(error), JSON.stringify(error), JSON.stringify((error as Error).cause));
  expect(lines.join()).not.toMatch(`${SECRET}|AWSAccessKeyId|Signature`);
});

test.each([
  ["s3://bucket", { kind: "s3", bucket: "bucket", prefix: "" }],
  ["s3://bucket/a/b/", { kind: "s3", bucket: "bucket", prefix: "a/b/" }],
  ["/a/b", { kind: "disk", folder: "/a/b" }],
])("%s is a place", (text, place) => {
  expect(storageLocationSchema.parse(text)).toEqual(place);
});

test.each(["s3://", "s3://key:secret@bucket", "s3://bucket/../x", "https://bucket", "s3://bucket/a b"])(
  "%s is none, and is not repeated",
  (text) => {
    const { success, error } = storageLocationSchema.safeParse(text);
    expect(success).toBe(false);
    expect(error?.message).not.toMatch(/key:secret/);
  },
);
