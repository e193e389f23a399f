import type {} from "@fastify/multipart";
import { RhoneError } from "@rhone/common";
import type { FastifyRequest } from "fastify";
import type { FileDraft } from "../files/file-draft.js";
import type { FileStore } from "../files/file-store.js";
import { RequestError } from "../request-error.js";

export interface ReceivedFile {
  readonly draft: FileDraft;
  readonly filename: string;
  /** The form's other fields, which may come before or after the file. */
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * Reads a multipart form with one file, which goes to the storage as it comes. The draft is the caller's. Throws BODY_TOO_LARGE beyond
 * `mostBytes`, UNSUPPORTED_MEDIA_TYPE, and INVALID_REQUEST for a form that is broken or has no file.
 */
export async function receiveFile(request: FastifyRequest, files: FileStore, mostBytes: number): Promise<ReceivedFile> {
  const fields: Record<string, string> = {};
  let received: { readonly draft: FileDraft; readonly filename: string } | undefined;
  try {
    const limits = { fileSize: mostBytes, files: 1, fields: 32, fieldSize: 4096 };
    for await (const part of request.parts({ limits })) {
      if (part.type === "field") fields[part.fieldname] = String(part.value);
      else {
        received = { draft: await files.draft(), filename: part.filename };
        for await (const bytes of part.file) await received.draft.write(bytes as Buffer);
      }
    }
  } catch (error) {
    await received?.draft.discard();
    throw explain(error, mostBytes);
  }
  if (received === undefined) throw new RequestError("INVALID_REQUEST", "file: is missing.", { param: "file" });
  return { ...received, fields };
}

/** What the form's parser throws without a name of its own is about the form. */
function explain(error: unknown, mostBytes: number): unknown {
  if (!(error instanceof Error) || error instanceof RhoneError || "syscall" in error) return error;
  const code = "code" in error ? String(error.code) : "";
  if (code === "FST_REQ_FILE_TOO_LARGE") {
    return new RhoneError("BODY_TOO_LARGE", `The file has more than ${mostBytes} bytes; divide it.`, { cause: error });
  }
  if (code.startsWith("FST_")) return error;
  return new RhoneError("INVALID_REQUEST", `The form can't be read: ${error.message}.`, { cause: error });
}
