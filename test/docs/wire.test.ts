import { readFileSync } from "node:fs";
import { rhone } from "@rhone/proto";
import { expect, test } from "vitest";

const page = readFileSync(new URL("../../docs/wire.md", import.meta.url), "utf8");

const head = { pipeline: "c1", epoch: 3, step: 41 };
const stepBody = {
  spans: [{ sequence: 2, position: 64, count: 1, pages: [17], firstPage: 0, sample: true }],
  tokens: new Uint8Array(new Int32Array([1234]).buffer),
};
const first = { stage: 0, queuedUs: 120, computeUs: 21_500, idleUs: 300, overheadUs: 90 };
const second = { stage: 1, queuedUs: 80, computeUs: 22_800, idleUs: 500, overheadUs: 110 };
const hidden = new Uint8Array(4 * 4096);
const hiddenType = rhone.v1.ActivationType.ACTIVATION_F32;

/** The hex bytes at the beginnings of the lines of the page's blocks; "…" stands for zeros that are left out. */
const blocks = [...page.matchAll(/```text\n([\s\S]*?)```/g)].map(([, block = ""]) =>
  [...block.matchAll(/^ *((?:[0-9a-f]{2} )*[0-9a-f]{2})(?= |$)/gm)].map(([, bytes]) => bytes).join(" "),
);
const encoded = (frame: rhone.v1.Frame.$Properties): Buffer => Buffer.from(rhone.v1.Frame.encode(frame).finish());
const spaced = (bytes: Buffer): string => bytes.toString("hex").replace(/(..)(?!$)/g, "$1 ");

test("the worked frames of docs/wire.md are the bytes that are sent", () => {
  const toFirst = encoded({ ...head, stepBody });
  const toSecond = encoded({ ...head, stepBody: { ...stepBody, hidden, hiddenType, timings: [first] } });
  const back = encoded({
    ...head,
    result: { spans: [{ sequence: 2, tokens: [{ token: 987 }] }], timings: [first, second] },
  });
  expect(spaced(toFirst)).toBe(blocks[0]);
  const [length, ...rest] = [blocks[1]?.slice(0, 11), blocks[1]?.slice(12)];
  expect(spaced(toSecond)).toContain(` ${length} 00 00`);
  expect(spaced(toSecond).endsWith(` 00 00 ${rest[0]}`)).toBe(true);
  expect(spaced(back)).toBe(blocks[2]);
  const sizes = [...page.matchAll(/\*\*([\d,]+) bytes\*\*/g)].map(([, size = ""]) => Number(size.replace(",", "")));
  expect(sizes).toEqual([toFirst, toSecond, back].map(({ length: bytes }) => bytes));
});
