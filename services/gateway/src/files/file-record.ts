import { timedId } from "../storage/object-storage.js";

export const FILE_PURPOSES = ["batch", "batch_output"] as const;

/** Everything about a stored file except its bytes. Times are Unix seconds. */
export interface FileRecord {
  readonly id: string;
  /** The name of the object that holds the bytes. */
  readonly content: string;
  readonly filename: string;
  readonly purpose: (typeof FILE_PURPOSES)[number];
  readonly kind: "request" | "result" | "error";
  readonly bytes: number;
  readonly lines: number;
  readonly createdAt: number;
  /** null: kept until it is deleted. */
  readonly expiresAt: number | null;
  /** The name of the API key that owns it; absent or "" where no keys were required. */
  readonly owner?: string;
}

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
