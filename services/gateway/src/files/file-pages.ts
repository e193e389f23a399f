import type { Reader } from "../storage/in-turns.js";
import { mapInTurns } from "../turns.js";
import { toFileObject } from "./file-record.js";
import type { FileStore } from "./file-store.js";

export interface FileQuery {
  readonly purpose: string | undefined;
  readonly order: "asc" | "desc" | undefined;
  /** OpenAI's: at most `limit` files behind the one with this id. */
  readonly after: string | undefined;
  readonly limit: number | undefined;
  /** Mistral's: pages of `page_size`, from 0. */
  readonly page: number | undefined;
  readonly page_size: number | undefined;
}

const DEFAULT_LIMIT = 10_000;
const DEFAULT_PAGE_SIZE = 100;

/** One page of the reader's files in the shape of both APIs; it reads no other records. Throws as `InTurns`. */
export async function pageOf(files: Pick<FileStore, "entries" | "getAll">, query: FileQuery, reader: Reader) {
  const { purpose, order, after, limit, page, page_size } = query;
  const own = await files.entries(reader.owner);
  const wanted = own.filter((file) => purpose === undefined || file.purpose === purpose);
  const found = order === "asc" ? wanted.toReversed() : wanted;
  const size = page_size ?? limit ?? (page === undefined ? DEFAULT_LIMIT : DEFAULT_PAGE_SIZE);
  // The file with that id may be gone by now, or of another purpose; ids are in the order of their files.
  const isBehind = (id: string, last: string) => (order === "asc" ? id > last : id < last);
  const next = after === undefined ? (page ?? 0) * size : found.findIndex(({ id }) => isBehind(id, after));
  const start = next < 0 ? found.length : next;
  const ids = found.slice(start, start + size).map(({ id }) => id);
  const data = await mapInTurns(await files.getAll(ids, reader), toFileObject);
  return {
    object: "list",
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: start + size < found.length,
    total: found.length,
  };
}
