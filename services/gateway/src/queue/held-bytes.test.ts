import { expect, it } from "vitest";
import { HeldBytes } from "./held-bytes.js";

it("holds as many bytes of large jobs as it may, and any number of small ones", () => {
  const held = new HeldBytes(100_000);
  const release = held.hold(60_000);
  const refusal = { code: "QUEUE_FULL", message: expect.stringMatching(/hold 60000 bytes.*100000 .*one of 50000/) };
  expect(() => held.hold(50_000)).toThrow(expect.objectContaining(refusal));
  for (let i = 0; i < 20; i++) held.hold(16_384);
  release();
  held.hold(100_000);
  expect(() => held.hold(16_385)).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
});
