import { expect, onTestFinished, test } from "vitest";
import { openClient, serveWeights, writeModel } from "../testing/weights-scene.js";

const { signal } = new AbortController();

async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const message of messages) list.push(message);
  return list;
}

async function scene() {
  const file = await writeModel();
  const address = await serveWeights(file);
  const client = openClient(address);
  return { file, address, client, fingerprint: file.headerFingerprint };
}

test("a model is described by its files' sizes; without a fingerprint, whichever is served", async () => {
  const { file, client, fingerprint } = await scene();
  const { fileBytes: bytes, parts } = file;
  const description = { name: "m", fingerprint, parts: [{ bytes, headerBytes: parts[0]?.headerBytes }] };
  expect(await client.describe(fingerprint, signal)).toMatchObject(description);
  expect(await client.describe("", signal)).toMatchObject(description);
});

test("another model is refused with both fingerprints", async () => {
  const { client, fingerprint } = await scene();
  const refusal = { code: "MODEL_MISMATCH", message: expect.stringMatching(new RegExp(`0123.*${fingerprint}`)) };
  await expect(client.describe("0123", signal)).rejects.toMatchObject(refusal);
  await expect(all(client.read({ fingerprint: "0123", pieces: [{ header: 0 }] }, signal))).rejects.toMatchObject(
    refusal,
  );
});

test.each([
  ["a tensor that is not there", [{ tensor: "no.such" }], "NOT_FOUND"],
  ["a file that is not there", [{ header: 7 }], "NOT_FOUND"],
  ["a place beyond the tensor", [{ tensor: "output_norm.weight", from: 1e9 }], "INVALID_REQUEST"],
  ["too many pieces", Array.from({ length: 20_000 }, () => ({ header: 0 })), "INVALID_REQUEST"],
])("%s is refused by name", async (_name, pieces, code) => {
  const { client, fingerprint } = await scene();
  await expect(all(client.read({ fingerprint, pieces }, signal))).rejects.toMatchObject({ code });
});

test("a name as long as a message is repeated in part", async () => {
  const { client, fingerprint } = await scene();
  const long = "ü".repeat(200_000);
  const refusal = { code: "NOT_FOUND", message: expect.stringMatching(/^\S+ ?.*tensor ü{200}….{0,20}$/) };
  await expect(all(client.read({ fingerprint, pieces: [{ tensor: long }] }, signal))).rejects.toMatchObject(refusal);
  await expect(all(client.hash({ fingerprint, tensors: [long] }, signal))).rejects.toMatchObject(refusal);
  await expect(client.describe(long, signal)).rejects.toMatchObject({ code: "MODEL_MISMATCH" });
});

test("a worker gives what it holds, and no hashes", async () => {
  const file = await writeModel();
  const tensors = new Set(["blk.0.attn_q.weight"]);
  const client = openClient(await serveWeights(file, { tensors, hashes: null }));
  const fingerprint = file.headerFingerprint;
  expect((await client.describe(fingerprint, signal)).tensors).toEqual([...tensors]);
  const read = (tensor: string) => all(client.read({ fingerprint, pieces: [{ tensor }] }, signal));
  const bytes = (await read("blk.0.attn_q.weight")).reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
  expect(bytes).toBe(file.tensors.get("blk.0.attn_q.weight")?.bytes);
  await expect(read("blk.1.attn_q.weight")).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(all(client.hash({ fingerprint, tensors: ["x"] }, signal))).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("a reader that takes its weights slowly, by many calls, keeps none from another", async () => {
  const { file, address, client, fingerprint } = await scene();
  const pieces = [...file.tensors.keys()].map((tensor) => ({ tensor }));
  const slow = Array.from({ length: 9 }, () => client.read({ fingerprint, pieces }, signal));
  onTestFinished(async () => void (await Promise.all(slow.map((call) => call.return(undefined)))));
  const first = await Promise.allSettled(slow.map((call) => call.next())); // and no more
  expect(first.map(({ status }) => status).toSorted()).toEqual([...Array(8).fill("fulfilled"), "rejected"]);
  const refused = first.find(({ status }) => status === "rejected") as PromiseRejectedResult;
  expect(refused.reason).toMatchObject({ code: "TOO_MANY_READERS", message: expect.stringMatching(/^8 calls of /) });
  const read = await all(openClient(address).read({ fingerprint, pieces }, signal));
  const bytes = [...file.tensors.values()].reduce((sum, tensor) => sum + tensor.bytes, 0);
  expect(read.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)).toBe(bytes);
  await slow[0]?.return(undefined);
  const again = async () => (await client.read({ fingerprint, pieces: [{ header: 0 }] }, signal).next()).done;
  await expect.poll(() => again().catch(() => null)).toBe(false);
});
