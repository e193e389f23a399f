import type { FileRecord } from "./file-record.js";

const SAMPLE_TYPES: Readonly<Record<FileRecord["kind"], string>> = {
  request: "batch_request",
  result: "batch_result",
  error: "batch_error",
};

/** The file object of OpenAI's API and Mistral's in one. */
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
    // Mistral's client insists on it.
    deleted: false,
  };
}
