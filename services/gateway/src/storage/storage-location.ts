import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

export type StorageLocation =
  | { readonly kind: "disk"; readonly folder: string }
  /** `prefix` is "" or ends with "/". */
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string };

const S3_URL = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;

/** A folder, or s3://bucket/prefix. What it refuses it does not repeat: there could be a secret in it. */
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
