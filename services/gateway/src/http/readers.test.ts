import { expect, it } from "vitest";
import { Readers } from "./readers.js";

/** Readers that stay until they are told to leave. */
function holding(limits: { ofStream: number; most: number }) {
  const readers = new Readers(limits);
  const leave: (() => void)[] = [];
  const reading: Promise<void>[] = [];
  const hold = (stream: string, owner = "") => {
    const read = () => new Promise<void>((resolve) => leave.push(resolve));
    reading.push(readers.admit({ stream, owner }, read));
  };
  const admit = (stream: string, owner = "") => readers.admit({ stream, owner }, async () => "read");
  const leaveAll = async () => {
    for (const each of leave) each();
    await Promise.all(reading);
  };
  return { hold, admit, leaveAll };
}

const refusal = (message: RegExp) => ({ code: "TOO_MANY_READERS", message: expect.stringMatching(message) });

it("refuses the fifth reader of a stream until another leaves, and none of another stream", async () => {
  const { hold, admit, leaveAll } = holding({ ofStream: 4, most: 100 });
  for (let i = 0; i < 4; i++) hold("cmpl-1");
  await expect(admit("cmpl-1")).rejects.toMatchObject(refusal(/^4 readers follow cmpl-1.*--stream-readers/));
  expect(await admit("cmpl-2")).toBe("read");
  await leaveAll();
  expect(await admit("cmpl-1")).toBe("read");
});

it("lets a key have as many readers as it leaves free", async () => {
  const { hold, admit } = holding({ ofStream: 4, most: 8 });
  for (let i = 0; i < 4; i++) hold(`a-${i}`, "a");
  await expect(admit("a-5", "a")).rejects.toMatchObject(
    refusal(/^4 readers .* of at most 8 .*; 4 of them are of this/),
  );
  expect(await admit("b-1", "b")).toBe("read");
});

it("lets callers without keys have all, and no more", async () => {
  const { hold, admit } = holding({ ofStream: 4, most: 8 });
  for (let i = 0; i < 8; i++) hold(`s-${i}`);
  await expect(admit("s-9")).rejects.toMatchObject(refusal(/^8 readers .* of at most 8 \(--most-readers\); try/));
  await expect(admit("k-1", "key")).rejects.toMatchObject(refusal(/^8 readers/));
});

it("counts a reader that fails no longer", async () => {
  const readers = new Readers({ ofStream: 1, most: 8 });
  const reading = { stream: "s", owner: "" };
  await expect(readers.admit(reading, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  expect(await readers.admit(reading, async () => "read")).toBe("read");
});
