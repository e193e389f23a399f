import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodeSafetensors, writeCheckpoint } from "../testing/checkpoint.js";
import { checkpointName, openCheckpoint } from "./open-checkpoint.js";

const INDEX = "model.safetensors.index.json";
const [A, B] = [encodeSafetensors({ a: [2] }), encodeSafetensors({ b: [3], c: [1, 2] })];

describe("openCheckpoint", () => {
  test("reads one file", async () => {
    const dir = await writeCheckpoint({ "model.safetensors": B });
    const tensors = await openCheckpoint(dir);
    expect([...tensors].map(([name, { shape, path }]) => [name, shape, path])).toEqual([
      ["b", [3], join(dir, "model.safetensors")],
      ["c", [1, 2], join(dir, "model.safetensors")],
    ]);
  });

  test("reads the files of an index, which goes before a single file", async () => {
    const dir = await writeCheckpoint({
      [INDEX]: { weight_map: { a: "1.safetensors", b: "2.safetensors", c: "2.safetensors" } },
      "1.safetensors": A,
      "2.safetensors": B,
      "model.safetensors": encodeSafetensors({ old: [1] }),
    });
    const tensors = await openCheckpoint(dir);
    expect([...tensors.keys()]).toEqual(["a", "b", "c"]);
    expect(tensors.get("c")?.path).toBe(join(dir, "2.safetensors"));
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ["without weights", { "pytorch_model.bin": "" }, /neither model.safetensors nor .*Only safetensors are read/],
    ["with an index without a map", { [INDEX]: {} }, /has no weight_map/],
    ["with an index of numbers", { [INDEX]: { weight_map: { a: 1 } } }, /1 is not a file name/],
    ["with an index that leads out", { [INDEX]: { weight_map: { a: "../a" } } }, /"\.\.\/a" is not a file name/],
    ["with an index of a missing file", { [INDEX]: { weight_map: { a: "no.safetensors" } } }, /cannot be opened/],
    [
      "with an index that names another file",
      { [INDEX]: { weight_map: { a: "1.safetensors", b: "1.safetensors" } }, "1.safetensors": A },
      /says that b is in 1.safetensors, which does not hold it/,
    ],
  ])("refuses a directory %s", async (_, files, message) => {
    const opened = openCheckpoint(await writeCheckpoint(files));
    await expect(opened).rejects.toMatchObject({
      code: "CHECKPOINT_MALFORMED",
      message: expect.stringMatching(message),
    });
  });
});

test.each([
  ["/models/OpenHermes-2.5-Mistral-7B", "OpenHermes-2.5-Mistral-7B"],
  ["/models/mine/", "mine"],
  [
    "/c/hub/models--teknium--OpenHermes-2.5-Mistral-7B/snapshots/24c0bea14d53e6f67f1fbe2eca5bfe7cae389b33",
    "OpenHermes-2.5-Mistral-7B",
  ],
  ["/c/hub/models--gpt2/snapshots/607a30d783dfa663caf39e06633721c8d4cfcd7e", "gpt2"],
])("the model in %s is named %s", (dir, name) => expect(checkpointName(dir)).toBe(name));
