import { homedir } from "node:os";
import { join } from "node:path";
import type { Logger } from "@rhone/common";
import { z } from "zod";
import { DiskStorage } from "./disk/disk-storage.js";
import type { ObjectStorage } from "./object-storage.js";

export type StorageLocation =
  | { readonly kind: "disk"; readonly folder: string }
  /** `prefix` is "" or ends with "/". */
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string };

const S3_URL = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;

/** A folder, or s3://bucket/prefix. Its refusal does not repeat the text, which may hold a secret. */
export const storageLocationSchema = z
  .string()
  .min(1)
  .default(join(homedir(), ".rhone", "storage"))
  .transform((text, context): StorageLocation => {
    if (!/^[a-z0-9+.-]+:\/\//i.test(text)) return { kind: "disk", folder: text };
    const [, bucket, path = ""] = S3_URL.exec(text) ?? [];
    const parts = path.split("/").filter((part) => part !== "");
    const isClean = parts.every((part) => /^[\w.=-]+$/.test(part) && part !== "." && part !== "..");
    if (bucket === undefined || !isClean) {
      context.addIssue("must be a folder or s3://bucket/prefix, with letters, digits and ._=- in the prefix");
      return z.NEVER;
    }
    return { kind: "s3", bucket, prefix: parts.map((part) => `${part}/`).join("") };
  });

const S3_CALL_MS = 20_000;

export interface StorageSettings {
  readonly storage: StorageLocation;
  readonly s3Endpoint: string | undefined;
  readonly s3Region: string | undefined;
  readonly s3PathStyle: boolean | undefined;
}

/** Throws INVALID_CONFIG for a bucket that does not exist or refuses access; warns when it cannot be reached. */
export async function openStorage(settings: StorageSettings, logger: Logger): Promise<ObjectStorage> {
  const { storage: location, s3Endpoint: endpoint, s3Region: region, s3PathStyle: pathStyle } = settings;
  if (location.kind === "disk") return new DiskStorage(location.folder);
  // Amazon's SDK takes 0.25 s to load; gateways that store on a disk skip it.
  const { S3Storage } = await import("./s3/s3-storage.js");
  const storage = new S3Storage({ ...location, endpoint, region, pathStyle, callMs: S3_CALL_MS });
  await storage.check(logger);
  return storage;
}
