import type { Parsed } from "@rhone/common";
import { z } from "zod";
import { timedId } from "../storage/object-storage.js";

export const FILE_PURPOSES = ["batch", "batch_output"] as const;

/** Everything about a stored file except its bytes. Times are Unix seconds. */
export const fileRecordSchema = z.object({
  /** Absent = 1, the only version so far. A new optional field keeps the version, a change of meaning raises it. */
  version: z.literal(1).exactOptional(),
  id: z.string(),
  /** The name of the object that holds the bytes. */
  content: z.string(),
  filename: z.string(),
  purpose: z.enum(FILE_PURPOSES),
  kind: z.enum(["request", "result", "error"]),
  bytes: z.number(),
  lines: z.number(),
  createdAt: z.number(),
  /** null: kept until it is deleted. */
  expiresAt: z.number().nullable(),
  /** The name of the API key that owns it; absent or "" where no keys were required. */
  owner: z.string().exactOptional(),
});
export type FileRecord = Parsed<typeof fileRecordSchema>;

export const newFileId = (): string => `file-${timedId()}`;

/** Ids become parts of keys, so anything else is refused. */
export const isFileId = (id: string): boolean => /^file-[0-9a-f]{24}$/.test(id);

const SAMPLE_TYPES: Readonly<Record<FileRecord["kind"], string>> = {
  request: "batch_request",
  result: "batch_result",
  error: "batch_error",
};

/** A file object with the fields of OpenAI's API and of Mistral's. */
export function toFileObject(file: FileRecord) {
  return {
    id: file.id,
    object: "file",
    bytes: file.bytes,
    created_at: file.createdAt,
    ...(file.expiresAt !== null && { expires_at: file.expiresAt }),
    filename: file.filename,
    purpose: file.purpose,
    status: "processed",
    sample_type: SAMPLE_TYPES[file.kind],
    num_lines: file.lines,
    source: file.kind === "request" ? "upload" : "mistral",
    mimetype: "application/jsonl",
    signature: null,
    // Mistral's client requires it.
    deleted: false,
  };
}
