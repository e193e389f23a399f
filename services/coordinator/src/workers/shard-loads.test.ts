import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fakeMember } from "../testing/fake-member.js";
import { fakeModel } from "../testing/fake-model.js";
import { ShardLoads, shardSpec } from "./shard-loads.js";

const model = fakeModel();
const stage = {
  worker: "w",
  stage: 1,
  first: 4,
  last: 8,
  embeds: false,
  heads: true,
  weightBytes: 0,
  memoryTotal: 0,
};
const shape = { pageSize: 4, slidingWindow: 0, contextLength: 128, maxRows: 16 };
const spec = shardSpec(stage, 100, { model, kvType: "q8_0", shape });

describe("shardSpec", () => {
  it("names the layers, the pages and the file of a stage", () => {
    expect(spec).toMatchObject({
      model: { name: "fake", fingerprint: "00" },
      firstLayer: 4,
      lastLayer: 8,
      embeds: false,
      heads: true,
      pages: 100,
      pageSize: 4,
    });
  });

  it("names no path to a file without weights, but the process that has them", () => {
    const header = { ...model, served: { ...model.served, path: "/weights/0123/model.gguf" }, origin: "a:7100" };
    const { model: ref } = shardSpec(stage, 100, { model: header, kvType: "f16", shape });
    expect(ref).toMatchObject({ path: "model.gguf", stamp: "", origin: "a:7100" });
    const file = { path: "/m.gguf", parts: [], tensors: new Map(), headerFingerprint: "00", stamp: "1-2-3-4" };
    const whole = { ...model, served: { ...model.served, path: "/m.gguf" }, file };
    const { model: here } = shardSpec(stage, 100, { model: whole, kvType: "f16", shape });
    expect(here).toMatchObject({ path: "/m.gguf", stamp: "1-2-3-4", origin: "" });
  });

  it("refuses a stage without layers", () => {
    expect(() => shardSpec({ ...stage, last: 4 }, 100, { model, kvType: "f16", shape })).toThrow("without layers");
  });
});

describe("ShardLoads", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function setUp() {
    const loads = new ShardLoads();
    const { member, sent } = fakeMember({ worker: "w" });
    const epoch = new AbortController();
    const load = () => loads.load(member, spec, epoch.signal);
    /** The load that the worker was asked for last. */
    const asked = () => sent.at(-1)?.load?.load ?? 0;
    return { loads, member, sent, epoch, load, asked };
  }

  it("takes no other worker's word for it", async () => {
    const { loads, member, load, asked } = setUp();
    const loading = load();
    const other = fakeMember({ worker: "forger" }).member;
    loads.receive(other, { failed: { load: asked(), code: "OUT_OF_MEMORY", message: "forged" } });
    loads.receive(other, { ready: { load: asked() } });
    expect(member.loaded).toBeNull();
    loads.receive(member, { ready: { load: asked() } });
    await loading;
    expect(member.loaded).not.toBeNull();
  });

  it("resolves when the worker is ready, and asks for the same shard only once", async () => {
    const { loads, member, sent, load, asked } = setUp();
    const loading = load();
    expect(sent.at(-1)?.load).toMatchObject({ firstLayer: 4, lastLayer: 8 });
    loads.receive(member, { ready: { load: asked() } });
    await loading;
    await load();
    expect(sent).toHaveLength(1);
  });

  it("names other workers as sources of weights, which make no other load", async () => {
    const sources = ["b:1"];
    const loads = new ShardLoads(() => sources);
    const { member, sent } = fakeMember({ worker: "w" });
    const { signal } = new AbortController();
    const loading = loads.load(member, spec, signal);
    expect(sent.at(-1)?.load?.model).toMatchObject({ name: "fake", sources: ["b:1"] });
    loads.receive(member, { ready: { load: sent.at(-1)?.load?.load ?? 0 } });
    await loading;
    sources.push("c:1");
    await loads.load(member, spec, signal);
    expect(sent).toHaveLength(1);
  });

  it("asks again after the shard was released", async () => {
    const { loads, member, sent, load, asked } = setUp();
    const loading = load();
    loads.receive(member, { ready: { load: asked() } });
    await loading;
    loads.release(member);
    expect(sent.at(-1)).toEqual({ release: {} });
    void load().catch(() => {});
    expect(sent.at(-1)?.load).toBeDefined();
  });

  it.each([
    ["OUT_OF_MEMORY", "OUT_OF_MEMORY"],
    ["NO_SUCH_CODE", "STAGE_FAILED"],
    [undefined, "STAGE_FAILED"],
  ])(
    "rejects with the worker's code %s as %s, and remembers the failure until a load succeeds",
    async (code, named) => {
      const { loads, member, load, asked } = setUp();
      const failing = load();
      loads.receive(member, { failed: { load: asked(), ...(code !== undefined && { code }), message: "no room" } });
      const message = "Worker w could not load its shard: no room";
      await expect(failing).rejects.toMatchObject({ code: named, message });
      expect(member.loadFailedAt).not.toBeNull();
      const again = load();
      loads.receive(member, { ready: { load: asked() } });
      await again;
      expect(member.loadFailedAt).toBeNull();
    },
  );

  it("gives a silent worker up after 120 s, and one that reports progress never", async () => {
    const { loads, member, load, asked } = setUp();
    const outcome = load().catch((error: Error) => error.message);
    for (let minute = 0; minute < 10; minute++) {
      vi.advanceTimersByTime(60_000);
      loads.receive(member, { progress: { load: asked(), bytes: minute } });
    }
    await vi.advanceTimersByTimeAsync(119_999);
    expect(member.loadFailedAt).toBeNull();
    vi.advanceTimersByTime(1);
    expect(await outcome).toBe("Worker w has reported nothing about its load for 120 s.");
    expect(member.loadFailedAt).not.toBeNull();
  });

  it("rejects with the epoch's reason when that breaks, which is no failure of the worker", async () => {
    const { member, epoch, load } = setUp();
    const loading = load();
    epoch.abort(new Error("the epoch is over"));
    await expect(loading).rejects.toThrow("the epoch is over");
    expect([member.loaded, member.loadFailedAt]).toEqual([null, null]);
  });

  it("ignores answers to loads that are over", async () => {
    const { loads, member, load, asked } = setUp();
    const loading = load();
    const first = asked();
    loads.receive(member, { ready: { load: first } });
    await loading;
    loads.receive(member, { failed: { load: first, code: "OUT_OF_MEMORY" } });
    loads.receive(member, { ready: { load: 99 } });
    expect(member.loadFailedAt).toBeNull();
  });
});
