import type { Settings } from "@rhone/common";
import { z } from "zod";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const count = (least: number) => z.coerce.number().int().min(least);

/** Sizes of files and batches, and how many run. */
export const batchSettings = {
  fileLimitBytes: {
    env: "RHONE_FILE_LIMIT_BYTES",
    schema: count(1024).default(200 * MiB),
    doc: "Largest file of POST /v1/files, in bytes.",
  },
  filesPerKey: {
    env: "RHONE_FILES_PER_KEY",
    schema: count(1).default(10_000),
    doc: "Most files of an API key, results of batches included; then it uploads none and begins no batch.",
  },
  fileBytesPerKey: {
    env: "RHONE_FILE_BYTES_PER_KEY",
    schema: count(1024).default(50 * GiB),
    doc: "Most bytes of these files together.",
  },
  batchesPerKey: {
    env: "RHONE_BATCHES_PER_KEY",
    schema: count(1).default(1000),
    doc: "Most batches of an API key that are not over.",
  },
  batchMostLines: {
    env: "RHONE_BATCH_MOST_LINES",
    schema: count(1).default(50_000),
    doc: "Most lines (requests) in a batch.",
  },
  batchLinesInFlight: {
    env: "RHONE_BATCH_LINES_IN_FLIGHT",
    schema: count(1).max(4096).default(128),
    doc: "Most requests of one batch that are queued or running at a time.",
  },
  batchesAtOnce: {
    env: "RHONE_BATCHES_AT_ONCE",
    schema: count(0).max(64).default(4),
    doc: "Most batches that this gateway runs at a time; 0 leaves them to other gateways.",
  },
} as const satisfies Settings;
