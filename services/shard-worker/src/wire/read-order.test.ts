import { GgmlType } from "@rhone/ggml";
import { rhone } from "@rhone/proto";
import { describe, expect, it } from "vitest";
import { readEpoch, readLoad } from "./read-order.js";

const { KvType, ActivationType } = rhone.v1;

const LOAD: rhone.v1.LoadShard.$Properties = {
  load: 4,
  model: { name: "m", path: "/models/m.gguf", fingerprint: "abc", stamp: "1-2", sources: ["a:1"] },
  firstLayer: 2,
  lastLayer: 5,
  heads: true,
  pages: 64,
  pageSize: 32,
  kvType: KvType.KV_Q8_0,
  maxRows: 512,
};

describe("an order to load", () => {
  it("is read with every field; no window is 0", () => {
    const message = rhone.v1.LoadShard.decode(rhone.v1.LoadShard.encode(LOAD).finish());
    expect(readLoad(message)).toEqual({
      model: { name: "m", path: "/models/m.gguf", fingerprint: "abc", stamp: "1-2", origin: "", sources: ["a:1"] },
      range: { first: 2, last: 5, embeds: false, heads: true },
      pages: 64,
      pageSize: 32,
      kvType: GgmlType.Q8_0,
      slidingWindow: 0,
      maxRows: 512,
    });
  });

  it.each([
    ["load.last_layer is 2; layers [2, 2) are none.", { lastLayer: 2 }],
    ["load.model.path is empty.", { model: { fingerprint: "abc" } }],
    ["load.model.path is empty.", { model: null }],
    ["load.model.fingerprint is empty.", { model: { path: "/m" } }],
    ["load.pages is 0; it must be from 1 to", { pages: 0 }],
    ["load.page_size is 0; it must be from 1 to", { pageSize: 0 }],
    ["load.max_rows is 0; it must be from 1 to", { maxRows: 0 }],
    ["load.kv_type is 9, a type that this release does not know.", { kvType: 9 as rhone.v1.KvType }],
  ])("is refused: %s", (message, changes) => {
    expect(() => readLoad({ ...LOAD, ...changes })).toThrow(
      expect.objectContaining({ code: "MESSAGE_MALFORMED", message: expect.stringContaining(message) }),
    );
  });
});

describe("an order to open an epoch", () => {
  const place = { pipeline: "p", epoch: 7, stage: 1, next: "host:1", nextWorker: "c", upstream: "a" };
  const EPOCH = { ...place, activationType: ActivationType.ACTIVATION_F16 };

  it("is read", () => {
    expect(readEpoch(EPOCH)).toEqual({ ...place, activations: GgmlType.F16, detour: null });
    const detour = { by: "host:2", provenMs: 5000 };
    expect(readEpoch({ ...EPOCH, detour }).detour).toEqual(detour);
    const least = { stage: 0, nextWorker: "", upstream: "", activations: GgmlType.F32 };
    expect(readEpoch({ next: "host:1" })).toMatchObject(least);
  });

  it.each([
    ["epoch.next is empty.", { next: "" }],
    ["epoch.detour.by is empty.", { detour: {} }],
    ["epoch.activation_type is 3, a type", { activationType: 3 as rhone.v1.ActivationType }],
  ])("is refused: %s", (message, changes) => {
    expect(() => readEpoch({ ...EPOCH, ...changes })).toThrow(message);
  });
});
