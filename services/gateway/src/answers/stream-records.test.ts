import { streamHeadKey, streamKey } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { FRAME, testJob } from "../testing/events.js";
import { fakeModel } from "../testing/fake-model.js";
import { FakeRedis } from "../testing/fake-redis.js";
import { mostInATurn } from "../testing/most-in-a-turn.js";
import { ChatWriter } from "./chat-writer.js";
import { CompletionWriter } from "./completion-writer.js";
import { addressesOf, logTtlS, StreamRecords, streamRecordOf } from "./stream-records.js";
import { openWriter, type WriterRecord, writerRecordSchema } from "./writer-record.js";

const frame = { ...FRAME, id: "chatcmpl-1" };
const chat: WriterRecord = {
  version: 1,
  kind: "chat",
  options: {
    ...frame,
    stripsSpace: true,
    opening: "",
    choices: 2,
    promptIds: [1, 2, 3],
    wantsLogprobs: false,
    wantsPromptLogprobs: false,
    calls: { marker: 5, forced: false, names: ["f"], parallel: true },
  },
};
const completion: WriterRecord = {
  version: 1,
  kind: "completion",
  options: {
    ...frame,
    samples: 1,
    prompts: [{ ids: [1], text: "a", hiddenSpace: false }],
    echo: false,
    logprobs: 2,
    promptLogprobs: null,
  },
};

describe("the record of a writer", () => {
  it.each([
    ["a chat", chat, ChatWriter],
    ["a completion", completion, CompletionWriter],
  ])("of %s survives JSON, and opens the same writer", (_, record, kind) => {
    const read = writerRecordSchema.parse(JSON.parse(JSON.stringify(record)));
    expect(read).toEqual(record);
    expect(openWriter(read, fakeModel())).toBeInstanceOf(kind);
  });

  it("without a version is of the first", () => {
    const { version: _, ...unversioned } = chat;
    expect(writerRecordSchema.parse(unversioned)).toEqual(chat);
  });
});

const deadlineAtMs = Date.now() + 60_000;
const jobs = [
  testJob({ requestId: "chatcmpl-1-0", keyId: "team", deadlineAtMs }),
  testJob({ requestId: "chatcmpl-1-1", keyId: "team", deadlineAtMs: deadlineAtMs - 1 }),
];

describe("the record of a stream", () => {
  it("has the addresses of its jobs, the latest deadline and the owner", () => {
    expect(streamRecordOf(chat, jobs, 7)).toEqual({
      version: 1,
      writer: chat,
      jobs: [
        { requestId: "chatcmpl-1-0", replyTo: "g1", model: "tiny", lane: "interactive" },
        { requestId: "chatcmpl-1-1", replyTo: "g1", model: "tiny", lane: "interactive" },
      ],
      deadlineAtMs,
      owner: "team",
      answerBytes: 7,
    });
  });

  it("is kept as long as the token logs of its jobs", async () => {
    const redis = new FakeRedis();
    await new StreamRecords(redis.kept).save(streamRecordOf(chat, jobs));
    for (const key of [streamKey("chatcmpl-1"), streamHeadKey("chatcmpl-1")])
      expect(redis.ttls.get(key)).toBeGreaterThanOrEqual(659);
    expect(logTtlS(streamRecordOf(chat, [testJob({ deadlineAtMs: 0 })]))).toBe(601);
  });
});

describe("loading a stream", () => {
  async function stored(change: (record: Record<string, unknown>) => unknown = (record) => record) {
    const redis = new FakeRedis();
    const records = new StreamRecords(redis.kept);
    await records.save(streamRecordOf(chat, jobs));
    const key = streamKey("chatcmpl-1");
    redis.texts.set(key, JSON.stringify(change(JSON.parse(redis.texts.get(key) ?? ""))));
    const load = (owner = "team") => records.load("chatcmpl-1", { owner });
    const head = (owner = "team") => records.head("chatcmpl-1", { owner });
    return { redis, load, head };
  }

  it("gives its owner what was saved", async () => {
    expect(await (await stored()).load()).toEqual(streamRecordOf(chat, jobs));
  });

  it("gives the addresses of its jobs, whose key is its owner", async () => {
    const keyed = jobs.map(({ requestId, replyTo, model, lane }) => ({
      requestId,
      replyTo,
      model,
      lane,
      keyId: "team",
    }));
    expect(addressesOf(await (await stored()).load())).toEqual(keyed);
  });

  it("judges a request by its head, without the record", async () => {
    const { redis, head } = await stored();
    redis.texts.delete(streamKey("chatcmpl-1"));
    expect(await head()).toEqual({ version: 1, owner: "team", choices: 2 });
    await expect(head("other")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("lets 400 requests that are judged at once go on in turns", async () => {
    const { head } = await stored();
    const most = await mostInATurn((work) => Promise.all(Array.from({ length: 400 }, () => head().then(work))));
    expect(most).toBeLessThan(64);
  });

  it("makes the head of a record of the release before, which had none", async () => {
    const { redis, head } = await stored();
    redis.texts.delete(streamHeadKey("chatcmpl-1"));
    expect(await head()).toMatchObject({ owner: "team", choices: 2 });
    await expect(head("other")).rejects.toMatchObject({ code: "NOT_FOUND" });
    redis.texts.clear();
    await expect(head()).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("reads two records at a time, owners in turns, and none for clients that have left", async () => {
    const redis = new FakeRedis();
    const records = new StreamRecords(redis.kept);
    const read: string[] = [];
    redis.get = async (key) => {
      read.push(key);
      return null;
    };
    const leaving = new AbortController();
    const load = (owner: string, id: string) => records.load(id, { owner, leaving: leaving.signal }).catch(() => {});
    const loads = [...["a1", "a2", "a3", "a4"].map((id) => load("a", id)), load("b", "b1")];
    expect(read).toEqual([streamKey("a1"), streamKey("a2")]);
    await expect.poll(() => read).toHaveLength(5);
    expect(read.indexOf(streamKey("b1"))).toBeLessThan(4);
    await Promise.all(loads);
    const later = ["c1", "c2", "c3"].map((id) => load("c", id));
    leaving.abort();
    await Promise.all(later);
    expect(read).not.toContain(streamKey("c3"));
  });

  it("reads records of the release before, which had no versions", async () => {
    const unversioned = ({ version: _, ...record }: Record<string, unknown>) => {
      const { version: __, ...writer } = record.writer as Record<string, unknown>;
      return { ...record, writer };
    };
    expect(await (await stored(unversioned)).load()).toEqual(streamRecordOf(chat, jobs));
  });

  it.each<[string, (record: Record<string, unknown>) => unknown, RegExp]>([
    ["a newer version", (record) => ({ ...record, version: 2 }), /\(version is 2; it must be 1\)/],
    [
      "a newer writer",
      (record) => ({ ...record, writer: { ...chat, version: 2 } }),
      /writer\.version is 2; it must be 1/,
    ],
    ["another kind of writer", (record) => ({ ...record, writer: { ...chat, kind: "poem" } }), /writer\.kind/],
    ["options that are gone", (record) => ({ ...record, writer: { ...chat, options: {} } }), /writer\.options\./],
    ["no jobs", (record) => ({ ...record, jobs: [] }), /jobs/],
    ["no record at all", () => "gone", /record/],
  ])("names a record that it cannot read: %s", async (_, change, problem) => {
    const { load } = await stored(change);
    const message = expect.stringMatching(problem) as string;
    await expect(load()).rejects.toMatchObject({ code: "RECORD_UNREADABLE", message });
    await expect(load()).rejects.toThrow(/The stream chatcmpl-1 was written by another version/);
  });

  it("finds nothing for another owner, and nothing that is gone", async () => {
    const { redis, load } = await stored();
    await expect(load("other")).rejects.toMatchObject({ code: "NOT_FOUND" });
    redis.texts.clear();
    await expect(load()).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringMatching(/until 10 minutes after/),
    });
  });

  it("says that Redis is away", async () => {
    const { redis, load } = await stored();
    redis.failure = new Error("connection refused");
    await expect(load()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
    await expect(new StreamRecords(redis.kept).save(streamRecordOf(chat, jobs))).rejects.toMatchObject({
      code: "REDIS_UNAVAILABLE",
    });
  });
});
