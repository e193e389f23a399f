import { booleanSchema, type Settings } from "@rhone/common";
import { z } from "zod";
import { storageLocationSchema } from "./open-storage.js";

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
