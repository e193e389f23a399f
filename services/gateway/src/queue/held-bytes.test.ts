import { expect, it } from "vitest";
import { HeldBytes } from "./held-bytes.js";

it("holds as many bytes of large jobs as it may, and any number of small ones", () => {
  const held = new HeldBytes(100_000);
  const release = held.hold(60_000, "");
  const refusal = { code: "QUEUE_FULL", message: expect.stringMatching(/hold 60000 bytes.*100000 .*one of 50000/) };
  expect(() => held.hold(50_000, "")).toThrow(expect.objectContaining(refusal));
  for (let i = 0; i < 20; i++) held.hold(16_384, "");
  release();
  held.hold(100_000, "");
  expect(() => held.hold(16_385, "")).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
});

it("leaves an API key room for its first job, however many another has", () => {
  const held = new HeldBytes(100_000);
  held.hold(30_000, "a");
  held.hold(20_000, "a");
  const refusal = { code: "QUEUE_FULL", message: expect.stringMatching(/50000 of them this API key, .* leaves free/) };
  expect(() => held.hold(20_000, "a")).toThrow(expect.objectContaining(refusal));
  const release = held.hold(50_000, "b");
  release();
  held.hold(20_000, "b");
  expect(() => held.hold(40_000, "b")).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
});
