import { describe, expect, it, onTestFinished, vi } from "vitest";
import { FileQuota } from "../files/file-quota.js";
import { FileStore } from "../files/file-store.js";
import { testBatch } from "../testing/test-batch.js";
import { STORAGES } from "../testing/test-storages.js";
import { NO_USAGE } from "./batch-record.js";
import { BatchStore } from "./batch-store.js";
import {
  type BatchOrder,
  cancelBatch,
  keepRequests,
  newBatch,
  ownBatches,
  ownJobs,
  pauseBatch,
  refuseUsed,
} from "./own-batches.js";
import { readResults, summarizeResults } from "./result-log.js";

const [{ open }] = STORAGES;

async function stores(most = { files: 100, bytes: 10_000 }) {
  const storage = await open();
  onTestFinished(() => storage.close());
  const files = new FileStore(storage);
  return { files, quota: new FileQuota(files, most), batches: new BatchStore(storage), batchesPerKey: 2 };
}

const order = (inputFileIds: readonly string[]): BatchOrder => ({
  owner: "team",
  format: "openai",
  endpoint: "/v1/completions",
  model: null,
  inputFileIds,
  fileParam: "input_file_id",
  completionWindow: "24h",
  windowS: 86_400,
  metadata: null,
  outputExpiresAfterS: null,
});

/** Ids in order of age, oldest first: the first was made 100 s after the epoch, the next 100 s later. */
const idAt = (place: number) => `batch_${(place * 100_000).toString(16).padStart(12, "0")}${"0".repeat(12)}`;

describe("a new batch", () => {
  it("waits to be validated, until its window ends", async () => {
    const uses = await stores();
    const id = await keepRequests(uses, [{ custom_id: "a", body: { prompt: "x" } }], "team");
    const batch = await newBatch(uses, order([id]));
    expect(batch).toMatchObject({ status: "validating", owner: "team", expiresAt: batch.createdAt + 86_400 });
    expect(await uses.batches.openIds()).toEqual([batch.id]);
    expect((await uses.files.get(id)).lines).toBe(1);
  });

  it.each<[string, string, string]>([
    ["a file that does not exist", `file-${"0".repeat(24)}`, "NOT_FOUND"],
    ["a name that is no file's", "../batches", "NOT_FOUND"],
  ])("of %s is not made", async (_, id, code) => {
    const uses = await stores();
    await expect(newBatch(uses, order([id]))).rejects.toMatchObject({ code });
    expect(await uses.batches.openIds()).toEqual([]);
  });

  it("of another owner's file is not made", async () => {
    const uses = await stores();
    const id = await keepRequests(uses, [{ custom_id: "a", body: {} }], "other");
    await expect(newBatch(uses, order([id]))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("of an output file is not made", async () => {
    const uses = await stores();
    const unfinished = await uses.files.create();
    const about = {
      filename: "out.jsonl",
      purpose: "batch_output",
      kind: "result",
      createdAt: 1,
      expiresAt: null,
    } as const;
    const { id } = await uses.files.commit(unfinished, { ...about, owner: "team" });
    const refused = { code: "INVALID_REQUEST", param: "input_file_id" };
    await expect(newBatch(uses, order([id]))).rejects.toMatchObject(refused);
  });

  const requests = [{ custom_id: "a", body: { prompt: "x" } }];

  it("beyond the most of an owner that are not over is not made, until one is", async () => {
    const uses = await stores();
    const id = await keepRequests(uses, requests, "team");
    const [first] = [await newBatch(uses, order([id])), await newBatch(uses, order([id]))];
    const refused = {
      code: "BATCH_LIMIT_EXCEEDED",
      message: expect.stringContaining("has 2 batches that are not over"),
    };
    await expect(newBatch(uses, order([id]))).rejects.toMatchObject(refused);
    const theirs = await keepRequests(uses, requests, "other");
    await newBatch(uses, { ...order([theirs]), owner: "other" });
    await uses.batches.save({ ...first, status: "failed" });
    await newBatch(uses, order([id]));
  });

  it.each([
    [{ files: 1, bytes: 10_000 }, "2 files, 1 at most"],
    [{ files: 100, bytes: 40 }, "41 bytes together, 40 at most"],
  ])("of an owner whose files reach %j is not made, and neither is a file of requests", async (most, problem) => {
    const uses = await stores(most);
    const id = await keepRequests(uses, requests, "team");
    const refused = { code: "FILE_LIMIT_EXCEEDED", message: expect.stringContaining(problem) };
    await expect(newBatch(uses, order([id]))).rejects.toMatchObject(refused);
    await expect(keepRequests(uses, requests, "team")).rejects.toMatchObject({ code: "FILE_LIMIT_EXCEEDED" });
    await uses.files.clean(Date.now() + 48 * 3600_000);
    expect(await uses.files.known("team")).toHaveLength(1);
  });

  it("needs a file or requests", async () => {
    await expect(keepRequests(await stores(), undefined, "team")).rejects.toMatchObject({ param: "input_files" });
  });
});

describe("lists", () => {
  const all = {
    page: undefined,
    page_size: undefined,
    model: undefined,
    status: undefined,
    created_after: undefined,
    order_by: undefined,
  };
  async function filled() {
    const { batches } = await stores();
    for (let place = 1; place <= 6; place++) {
      const owner = place % 2 === 0 ? "team" : "other";
      await batches.create(testBatch({ id: idAt(place), owner, createdAt: place * 100, model: place < 5 ? "a" : "b" }));
    }
    return batches;
  }

  it.each<[string | undefined, number, number[]]>([
    [undefined, 10, [6, 4, 2]],
    [undefined, 2, [6, 4]],
    [idAt(6), 2, [4, 2]],
    [idAt(5), 1, [4]],
    [idAt(2), 5, []],
  ])("after %s have at most %d of the owner's, newest first: %j", async (after, most, places) => {
    const found = await ownBatches(await filled(), { owner: "team", after, most });
    expect(found.map(({ id }) => id)).toEqual(places.map(idAt));
  });

  it.each<[string, (batches: BatchStore) => Promise<unknown>, number[]]>([
    ["a page", (batches) => ownBatches(batches, { owner: "team", after: idAt(6), most: 1 }), [4]],
    ["a page of jobs", (batches) => ownJobs(batches, { ...all, page: 1, page_size: 1 }, { owner: "team" }), [4]],
    ["jobs by status", (batches) => ownJobs(batches, { ...all, status: ["QUEUED"] }, { owner: "team" }), [6, 4, 2]],
    ["a file to be deleted", (batches) => refuseUsed(batches, "file-1", { owner: "team" }), [2, 4, 6]],
    ["lists of nobody's", (batches) => ownBatches(batches, { owner: "nobody", after: undefined, most: 1 }), []],
  ])("read no records but the owner's for %s", async (_, ask, places) => {
    const batches = await filled();
    const getAll = vi.spyOn(batches, "getAll");
    await ask(batches);
    expect(getAll.mock.calls.flatMap(([ids]) => ids)).toEqual(places.map(idAt));
  });

  it("have the batches of an earlier release, and none that is gone", async () => {
    const storage = await open();
    onTestFinished(() => storage.close());
    const batch = testBatch({ id: idAt(1), owner: "team" });
    await storage.put(`batches/${batch.id}/batch.json`, JSON.stringify(batch));
    await storage.touch(`owners/key-${Buffer.from("team").toString("hex")}/batches/${idAt(2)}`);
    const page = { owner: "team", after: undefined, most: 9 };
    expect(await ownBatches(new BatchStore(storage), page)).toEqual([batch]);
    expect(await new BatchStore(storage).ids("team")).toEqual([batch.id]);
  });

  it.each<[object, number[], number]>([
    [{}, [6, 4, 2], 3],
    [{ order_by: "created" }, [2, 4, 6], 3],
    [{ page: 1, page_size: 2 }, [2], 3],
    [{ model: "a" }, [4, 2], 2],
    [{ status: ["QUEUED"] }, [6, 4, 2], 3],
    [{ status: ["SUCCESS"] }, [], 0],
    [{ created_after: new Date(400_000) }, [6, 4], 2],
  ])("of Mistral's jobs by %j have %j of %d", async (query, places, total) => {
    const found = await ownJobs(await filled(), { ...all, ...query }, { owner: "team" });
    expect([found.data.map(({ id }) => id), found.total]).toEqual([places.map(idAt), total]);
  });
});

it("lists that are asked for at the same time read the folder twice", async () => {
  const storage = await open();
  onTestFinished(() => storage.close());
  const batches = new BatchStore(storage);
  await batches.create(testBatch({ id: idAt(1), owner: "team" }));
  await batches.mendLists();
  const list = vi.spyOn(storage, "list");
  const asked = Array.from({ length: 50 }, () => ownBatches(batches, { owner: "team", after: undefined, most: 1 }));
  expect((await Promise.all(asked)).flat()).toHaveLength(50);
  expect(list).toHaveBeenCalledTimes(2);
});

describe("cancelling", () => {
  it("asks once; the first time counts", async () => {
    const { batches } = await stores();
    const batch = testBatch({ owner: "team" });
    await batches.create(batch);
    await cancelBatch(batches, batch.id, { owner: "team" });
    const at = await batches.cancelledAt(batch.id);
    await cancelBatch(batches, batch.id, { owner: "team" });
    expect(await batches.cancelledAt(batch.id)).toBe(at);
  });

  it("changes nothing about a batch that is over", async () => {
    const { batches } = await stores();
    const batch = testBatch({ owner: "team", status: "completed" });
    await batches.save(batch);
    await cancelBatch(batches, batch.id, { owner: "team" });
    expect(await batches.cancelledAt(batch.id)).toBeNull();
  });

  it.each([["batch_1"], [idAt(1)]])("reads no folder to learn that %s does not exist", async (id) => {
    const storage = await open();
    onTestFinished(() => storage.close());
    storage.list = () => Promise.reject(new Error("a folder was read"));
    await expect(cancelBatch(new BatchStore(storage), id, { owner: "team" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("works on 16 batches at a time, however many are asked for; another owner's is next", async () => {
    const storage = await open();
    onTestFinished(() => storage.close());
    const batches = new BatchStore(storage);
    const get = batches.get.bind(batches);
    let [working, most] = [0, 0];
    const begun: string[] = [];
    batches.get = async (id) => {
      begun.push(id);
      most = Math.max(most, ++working);
      return get(id).finally(() => working--);
    };
    const [theirs, ours] = [testBatch({ id: idAt(1), owner: "other" }), testBatch({ id: idAt(2), owner: "team" })];
    for (const batch of [theirs, ours]) await batches.create(batch);
    const cancel = ({ id, owner = "" }: typeof theirs) => cancelBatch(batches, id, { owner });
    const all = [...Array.from({ length: 100 }, () => cancel(theirs)), cancel(ours)];
    expect((await Promise.all(all)).every(({ marks }) => marks.cancelledAt !== null)).toBe(true);
    expect(most).toBe(16);
    expect(begun.indexOf(ours.id)).toBeLessThan(20);
  });

  it("may rest and go on, until it is cancelled", async () => {
    const { batches } = await stores();
    const batch = testBatch({ owner: "team" });
    await batches.create(batch);
    const pause = (rests: boolean) => pauseBatch(batches, batch.id, { owner: "team", rests });
    const { marks } = await pause(true);
    expect(marks).toEqual({ cancelledAt: null, pausedAt: expect.any(Number) });
    expect((await pause(true)).marks).toEqual(marks);
    expect(await batches.pausedIds()).toEqual(new Set([batch.id]));
    expect((await pause(false)).marks.pausedAt).toBeNull();
    await pause(true);
    await cancelBatch(batches, batch.id, { owner: "team" });
    expect((await pause(true)).marks).toEqual({ cancelledAt: expect.any(Number), pausedAt: null });
    await expect(pauseBatch(batches, batch.id, { owner: "other", rests: true })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("is the owner's alone", async () => {
    const { batches } = await stores();
    const batch = testBatch({ owner: "team" });
    await batches.create(batch);
    await expect(cancelBatch(batches, batch.id, { owner: "other" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await batches.cancelledAt(batch.id)).toBeNull();
  });
});

it("a file is kept while a batch reads it", async () => {
  const { batches } = await stores();
  const batch = testBatch({ inputFileIds: ["file-1"] });
  await batches.create(batch);
  await expect(refuseUsed(batches, "file-1", { owner: "" })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  await expect(refuseUsed(batches, "file-2", { owner: "" })).resolves.toBeUndefined();
  await batches.save({ ...batch, status: "failed" });
  await expect(refuseUsed(batches, "file-1", { owner: "" })).resolves.toBeUndefined();
});

describe("a batch of another version", () => {
  async function another() {
    const storage = await open();
    onTestFinished(() => storage.close());
    const batches = new BatchStore(storage);
    const batch = testBatch({ inputFileIds: ["file-1"] });
    await batches.create(batch);
    const key = `batches/${batch.id}/batch.json`;
    const put = (changes: object) => storage.put(key, JSON.stringify({ ...batch, ...changes }));
    return { batches, batch, put, stored: async () => JSON.parse(String(await storage.get(key))) };
  }
  const unreadable = {
    code: "RECORD_UNREADABLE",
    message: expect.stringContaining("batch.json was written by another"),
  };

  it("is a named error wherever it is read, and stays as it is", async () => {
    const { batches, batch, put, stored } = await another();
    await put({ version: 2 });
    await expect(batches.get(batch.id)).rejects.toMatchObject(unreadable);
    await expect(ownBatches(batches, { owner: "", after: undefined, most: 1 })).rejects.toMatchObject(unreadable);
    await expect(cancelBatch(batches, batch.id, { owner: "" })).rejects.toMatchObject(unreadable);
    expect(await stored()).toEqual({ ...batch, version: 2 });
    expect(await batches.openIds()).toEqual([batch.id]);
  });

  it("keeps the files that it may read", async () => {
    const { batches, put } = await another();
    await put({ version: 2 });
    await expect(refuseUsed(batches, "file-1", { owner: "" })).rejects.toMatchObject(unreadable);
  });

  it("keeps a field that a later release of the same version added", async () => {
    const { batches, batch, put, stored } = await another();
    await put({ version: 1, priority: 5 });
    await batches.save(await batches.get(batch.id));
    expect(await stored()).toEqual({ ...batch, version: 1, priority: 5 });
  });

  it("has results that are a named error; lines that a crash cut short are passed over", async () => {
    const result = { line: 1, ok: true, usage: NO_USAGE, entry: {} };
    const lines = (...texts: readonly string[]) =>
      summarizeResults(readResults(of(of(Buffer.from(texts.map((text) => `${text}\n`).join(""))))));
    expect(await lines(JSON.stringify(result), '{"line":2,"o')).toMatchObject({ completed: 1, lines: new Set([1]) });
    const refused = lines(JSON.stringify({ ...result, version: 2 }));
    await expect(refused).rejects.toMatchObject({ code: "RECORD_UNREADABLE" });
  });
});

async function* of<T>(value: T): AsyncGenerator<T> {
  yield value;
}
