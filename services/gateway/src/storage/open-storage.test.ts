import { RhoneError } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { DiskStorage } from "./disk/disk-storage.js";
import { madeAtMs, timedId } from "./object-storage.js";
import { openStorage } from "./open-storage.js";
import { describe as describeError, explainS3, isBeyondEnd, isRefusal, noSuchObject } from "./s3/s3-errors.js";
import { S3Log } from "./s3/s3-log.js";
import { type StorageLocation, storageLocationSchema } from "./storage-settings.js";

describe("a location", () => {
  it.each<[string, StorageLocation]>([
    ["/var/lib/rhone", { kind: "disk", folder: "/var/lib/rhone" }],
    ["storage", { kind: "disk", folder: "storage" }],
    ["C:\\rhone", { kind: "disk", folder: "C:\\rhone" }],
    ["s3://bucket", { kind: "s3", bucket: "bucket", prefix: "" }],
    ["s3://my.bucket-1/", { kind: "s3", bucket: "my.bucket-1", prefix: "" }],
    ["s3://bucket/a//b/", { kind: "s3", bucket: "bucket", prefix: "a/b/" }],
    ["s3://bucket/a_b/c=1", { kind: "s3", bucket: "bucket", prefix: "a_b/c=1/" }],
  ])("%s is read", (text, location) => expect(storageLocationSchema.parse(text)).toEqual(location));

  it.each([
    "",
    "s3://",
    "s3://B",
    "s3://bucket/../x",
    "s3://bucket/a b",
    "gs://bucket",
    "https://user:secret@host/bucket",
  ])("%j is refused, and not repeated", (text) => {
    const { error } = storageLocationSchema.safeParse(text);
    expect(error?.issues).toHaveLength(1);
    expect(error?.message).not.toContain("secret");
  });

  it("is in the home folder by default", () => {
    expect(storageLocationSchema.parse(undefined)).toMatchObject({
      kind: "disk",
      folder: expect.stringMatching(/\.rhone/),
    });
  });

  it("on a disk is opened without Amazon's SDK", async () => {
    const settings = { storage: { kind: "disk", folder: "x" }, s3Endpoint: undefined, s3Region: undefined } as const;
    const storage = await openStorage({ ...settings, s3PathStyle: undefined }, undefined as never);
    expect(storage).toBeInstanceOf(DiskStorage);
  });
});

describe("timed ids", () => {
  it("sort by their time, and tell it", () => {
    const ids = [1, 255, 2 ** 40].map((ms) => timedId(ms));
    expect(ids.toSorted()).toEqual(ids);
    expect(ids.map((id) => madeAtMs(`batch_${id}`))).toEqual([1, 255, 2 ** 40]);
    expect(timedId(5)).not.toBe(timedId(5));
  });
});

describe("failures of S3", () => {
  const failure = (name: string, status?: number) =>
    Object.assign(new Error("no"), { name, $metadata: status === undefined ? {} : { httpStatusCode: status } });

  it.each<[string, number | undefined, boolean]>([
    ["AccessDenied", 403, true],
    ["NoSuchBucket", 404, true],
    ["PermanentRedirect", 301, true],
    ["CredentialsProviderError", undefined, true],
    ["RequestTimeout", 408, false],
    ["SlowDown", 429, false],
    ["InternalError", 500, false],
    ["ECONNREFUSED", undefined, false],
  ])("%s (%s) will not pass by itself: %s", (name, status, isFinal) => {
    expect(isRefusal(failure(name, status))).toBe(isFinal);
  });

  it("mean no such object only where the object is missing", () => {
    expect(noSuchObject(failure("NoSuchKey", 404))).toBeNull();
    expect(() => noSuchObject(failure("NoSuchBucket", 404))).toThrow();
    expect(() => noSuchObject(failure("AccessDenied", 403))).toThrow();
    expect([isBeyondEnd(failure("InvalidRange", 416)), isBeyondEnd(failure("NoSuchKey", 404))]).toEqual([true, false]);
  });

  it.each<[unknown, string, string]>([
    [failure("InsufficientStorage", 507), "DISK_FULL", "The bucket is full; delete files that are no longer needed."],
    [failure("SlowDown", 503), "STORAGE_UNAVAILABLE", "The bucket cannot be used now: SlowDown: no."],
    [failure("TimeoutError"), "STORAGE_UNAVAILABLE", "The bucket cannot be used now: no answer in time."],
    ["odd", "STORAGE_UNAVAILABLE", "The bucket cannot be used now: odd."],
  ])("%s become %s", (error, code, message) => {
    expect(() => explainS3(error)).toThrow(expect.objectContaining({ code, message }));
  });

  it("keep what was named already, and tell no secrets", () => {
    const named = new RhoneError("DISK_FULL", "full");
    expect(() => explainS3(named)).toThrow(named);
    const talkative = Object.assign(failure("CredentialsProviderError"), { message: "key AKIA123" });
    expect(describeError(talkative)).toBe("CredentialsProviderError");
  });
});

describe("a log in a bucket", () => {
  function log(failures = 0) {
    const segments: [number, string][] = [];
    let left = failures;
    const put = async (segment: number, text: string) => {
      if (left-- > 0) throw new Error("slow down");
      segments.push([segment, text]);
    };
    return { log: new S3Log(put), segments };
  }

  it("is one object per sync, and none for nothing", async () => {
    const { log: lines, segments } = log();
    await lines.sync();
    for (const line of ["a", "b"]) await lines.append(line);
    await lines.sync();
    await lines.append("c");
    await lines.close();
    expect(segments).toEqual([
      [1, "a\nb\n"],
      [2, "c\n"],
    ]);
  });

  it("is written by itself when a MiB waits", async () => {
    const { log: lines, segments } = log();
    await lines.append("x".repeat(1024 * 1024));
    expect(segments).toHaveLength(1);
  });

  it("keeps lines that could not be written, for the next object", async () => {
    const { log: lines, segments } = log(1);
    await lines.append("a");
    await expect(lines.sync()).rejects.toThrow("slow down");
    await lines.append("b");
    await lines.sync();
    expect(segments).toEqual([[2, "a\nb\n"]]);
  });
});
