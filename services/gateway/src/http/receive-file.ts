import { createHash } from "node:crypto";
import type {} from "@fastify/multipart";
import { RhoneError } from "@rhone/common";
import type { FastifyRequest } from "fastify";
import { expiresAfterSchema } from "../batches/batch-request.js";
import type { FileRoom } from "../files/file-quota.js";
import type { FileDescription, FileStore } from "../files/file-store.js";
import type { UnfinishedFile } from "../files/unfinished-file.js";
import { refuseParam } from "../request-error.js";
import { parseRequest } from "../requests/request-fields.js";
import { timeLeft } from "../turns.js";

/** A form has two. 1,000 empty parts took 145 ms of processor time at once. */
const FIELDS = 32;
/** Characters of a file's name, as on most disks: every list of files reads all names. */
const LONGEST_NAME = 255;

export interface ReceivedFile {
  readonly unfinished: UnfinishedFile;
  readonly filename: string;
  /** The form's other fields, which may come before or after the file. */
  readonly fields: Readonly<Record<string, string>>;
  /** SHA-256 of all that the form says, which is the same whatever boundary its parts have. */
  readonly digest: string;
}

export interface FileTarget {
  readonly files: FileStore;
  readonly mostBytes: number;
  readonly room: FileRoom;
}

/**
 * Reads a multipart form with one file and writes the file to the storage as it arrives. The caller commits or
 * discards it. Throws BODY_TOO_LARGE beyond `mostBytes`, FILE_LIMIT_EXCEEDED beyond the owner's room,
 * UNSUPPORTED_MEDIA_TYPE, and INVALID_REQUEST for a form that is broken or has no file.
 */
export async function receiveFile(
  request: FastifyRequest,
  { files, mostBytes, room }: FileTarget,
): Promise<ReceivedFile> {
  const fields: Record<string, string> = {};
  const content = createHash("sha256");
  let received: { readonly unfinished: UnfinishedFile; readonly filename: string } | undefined;
  try {
    const limits = { fileSize: mostBytes, files: 1, fields: FIELDS, parts: FIELDS + 1, fieldSize: 4096 };
    for await (const part of request.parts({ limits })) {
      if (part.type === "field") fields[part.fieldname] = String(part.value);
      else {
        received = { unfinished: await files.create(), filename: part.filename };
        room.file = received.unfinished;
        for await (const bytes of part.file) {
          await timeLeft();
          content.update(bytes as Buffer);
          await received.unfinished.write(bytes as Buffer);
          room.refuseMore();
        }
      }
    }
  } catch (error) {
    await received?.unfinished.discard();
    throw explain(error, mostBytes);
  }
  if (received === undefined) return refuseParam("file", ": the form has no file.");
  const told = Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const all = JSON.stringify([content.digest("hex"), received.filename, told]);
  return { ...received, fields, digest: createHash("sha256").update(all).digest("hex") };
}

/** Errors of the form's parser that have no code of ours. */
function explain(error: unknown, mostBytes: number): unknown {
  if (!(error instanceof Error) || error instanceof RhoneError || "syscall" in error) return error;
  const code = "code" in error ? String(error.code) : "";
  if (code === "FST_REQ_FILE_TOO_LARGE") {
    const limit = `The file has more than ${mostBytes} bytes, the gateway's limit`;
    const advice = "split it, or raise the limit with --file-limit-bytes (RHONE_FILE_LIMIT_BYTES)";
    return new RhoneError("BODY_TOO_LARGE", `${limit}; ${advice}.`, { cause: error });
  }
  if (code.startsWith("FST_")) return error;
  return new RhoneError("INVALID_REQUEST", `The form can't be read: ${error.message}.`, { cause: error });
}

/** The record of an upload. Throws INVALID_REQUEST for a purpose other than batch, a long name or a bad expiry time. */
export function describeUpload(
  { filename, fields }: Pick<ReceivedFile, "filename" | "fields">,
  owner: string,
): FileDescription {
  const { purpose } = fields;
  if (purpose !== "batch") {
    return refuseParam("purpose", `: must be "batch"${purpose === undefined ? "" : `, not "${purpose}"`}.`);
  }
  if (filename.length > LONGEST_NAME)
    refuseParam("file", `: its name has ${filename.length} characters, ${LONGEST_NAME} at most.`);
  const createdAt = Math.floor(Date.now() / 1000);
  const [anchor, seconds] = [fields["expires_after[anchor]"], fields["expires_after[seconds]"]];
  const expires = anchor !== undefined || seconds !== undefined;
  const after = expires ? parseRequest(expiresAfterSchema, { anchor, seconds }).seconds : null;
  const expiresAt = after === null ? null : createdAt + after;
  return { filename, purpose, kind: "request", createdAt, expiresAt, owner };
}
