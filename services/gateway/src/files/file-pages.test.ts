import { describe, expect, it } from "vitest";
import { type FileQuery, pageOf } from "./file-pages.js";
import { type FileRecord, isFileId, newFileId, toFileObject } from "./file-record.js";

const file = (id: string, changes: Partial<FileRecord> = {}): FileRecord => ({
  id,
  content: `${id}-bytes`,
  filename: "in.jsonl",
  purpose: "batch",
  kind: "request",
  bytes: 10,
  lines: 1,
  createdAt: 1,
  expiresAt: null,
  ...changes,
});

const files = ["e", "d", "c", "b", "a"].map((id) => file(id, { purpose: id === "c" ? "batch_output" : "batch" }));
const none: FileQuery = {
  purpose: undefined,
  order: undefined,
  after: undefined,
  limit: undefined,
  page: undefined,
  page_size: undefined,
};
/** Whose records were read. */
let read: readonly string[] = [];
const store = {
  entries: async (owner: string) => (owner === "team" ? files : []),
  getAll: async (ids: readonly string[]) => {
    read = ids;
    return ids.flatMap((id) => files.find((each) => each.id === id) ?? []);
  },
};
const page = (query: Partial<FileQuery>, owner = "team") => pageOf(store, { ...none, ...query }, { owner });

describe("a page of files", () => {
  it.each<[Partial<FileQuery>, string, boolean, number]>([
    [{}, "edcba", false, 5],
    [{ order: "asc" }, "abcde", false, 5],
    [{ order: "desc" }, "edcba", false, 5],
    [{ limit: 2 }, "ed", true, 5],
    [{ limit: 2, after: "d" }, "cb", true, 5],
    [{ limit: 2, after: "b" }, "a", false, 5],
    [{ limit: 2, after: "a" }, "", false, 5],
    [{ order: "asc", after: "b", limit: 2 }, "cd", true, 5],
    [{ limit: 2, after: "cx" }, "cb", true, 5],
    [{ limit: 2, order: "asc", after: "bx" }, "cd", true, 5],
    [{ limit: 2, after: "A" }, "", false, 5],
    [{ purpose: "batch", limit: 2, after: "c" }, "ba", false, 4],
    [{ page: 0, page_size: 2 }, "ed", true, 5],
    [{ page: 2, page_size: 2 }, "a", false, 5],
    [{ page: 3, page_size: 2 }, "", false, 5],
    [{ purpose: "batch" }, "edba", false, 4],
    [{ purpose: "batch_output" }, "c", false, 1],
    [{ purpose: "fine-tune" }, "", false, 0],
  ])("by %j has %j; more: %s; in all %d", async (query, ids, has_more, total) => {
    const found = await page(query);
    expect(read.join("")).toBe(ids);
    expect(found.data.map(({ id }) => id).join("")).toBe(ids);
    expect(found).toMatchObject({ has_more, total, first_id: ids[0] ?? null, last_id: ids.at(-1) ?? null });
  });

  it("leaves the order of its argument alone", async () => {
    await page({ order: "asc" });
    expect(files[0]?.id).toBe("e");
  });

  it("of another owner has none of them", async () => {
    expect(await page({}, "other")).toMatchObject({ data: [], total: 0 });
  });
});

describe("a file object", () => {
  it.each([
    ["request", "batch_request", "upload"],
    ["result", "batch_result", "mistral"],
    ["error", "batch_error", "mistral"],
  ] as const)("of a %s is a %s by %s for Mistral's clients", (kind, sample_type, source) => {
    expect(toFileObject(file("a", { kind }))).toMatchObject({ sample_type, source, deleted: false, num_lines: 1 });
  });

  it("has a time to expire only if it does", () => {
    expect(toFileObject(file("a"))).not.toHaveProperty("expires_at");
    expect(toFileObject(file("a", { expiresAt: 9 })).expires_at).toBe(9);
  });
});

describe("file ids", () => {
  it("are recognized", () => expect(isFileId(newFileId())).toBe(true));
  it.each([
    "",
    "file-",
    "file-../../etc/passwd",
    `file-${"0".repeat(23)}`,
    `file-${"g".repeat(24)}`,
    `x-${"0".repeat(24)}`,
  ])("%j is none", (id) => expect(isFileId(id)).toBe(false));
});
