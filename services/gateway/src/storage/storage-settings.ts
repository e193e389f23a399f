import { homedir } from "node:os";
import { join } from "node:path";
import { booleanSchema, type Settings } from "@rhone/common";
import { z } from "zod";

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

/** Where files and batches are kept. */
export const storageSettings = {
  storage: {
    env: "RHONE_STORAGE",
    schema: storageLocationSchema,
    doc: "Place of files and batches: a folder or s3://bucket/prefix. Gateways that share a Redis must share it.",
    defaultText: "~/.rhone/storage",
  },
  s3Endpoint: {
    env: "RHONE_S3_ENDPOINT",
    schema: z.url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" }).optional(),
    doc: "URL of an S3-compatible service.",
    defaultText: "Amazon's",
  },
  s3Region: {
    env: "AWS_REGION",
    schema: z.string().min(1).optional(),
    doc: "Region of the bucket.",
    defaultText: "as Amazon's SDK finds it; us-east-1 with --s3-endpoint",
  },
  s3PathStyle: {
    env: "RHONE_S3_PATH_STYLE",
    schema: booleanSchema.optional(),
    doc: "true puts the bucket's name into the path, false into the host name.",
    defaultText: "true with --s3-endpoint, else false",
  },
} as const satisfies Settings;
