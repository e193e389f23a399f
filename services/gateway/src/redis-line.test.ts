import { describe, expect, it } from "vitest";
import { RedisLine } from "./redis-line.js";

const KiB = 1024;

/** A line, and what it has sent; Redis answers nothing before `take`. */
function open() {
  const line = new RedisLine();
  const sent: string[] = [];
  let waiting: (() => void)[] = [];
  const add = (name: string, bytes: number) =>
    line.send(bytes, () => {
      sent.push(name);
      return new Promise<void>((resolve) => waiting.push(resolve));
    });
  const take = async () => {
    for (const resolve of waiting.splice(0)) resolve();
    await new Promise(setImmediate);
  };
  waiting = [];
  return { line, sent, add, take };
}

describe("a line of commands", () => {
  it("sends a command at once when none waits", () => {
    const { add, sent } = open();
    void add("a", 9000 * KiB);
    expect(sent).toEqual(["a"]);
  });

  it("sends a megabyte at a time, and the next once Redis answered the last", async () => {
    const { add, sent, take } = open();
    for (let i = 0; i < 9; i++) void add(`${i}`, 300 * KiB);
    await take();
    expect(sent).toEqual(["0", "1", "2", "3"]);
    await take();
    expect(sent).toHaveLength(7);
  });

  it("sends small commands first, and a large one with each slice of them", async () => {
    const { add, sent, take } = open();
    for (let i = 0; i < 3; i++) void add(`large ${i}`, 900 * KiB);
    for (let i = 0; i < 100; i++) void add(`small ${i}`, 1 * KiB);
    await take();
    expect(sent.slice(0, 3)).toEqual(["large 0", "large 1", "small 0"]);
    expect(sent).not.toContain("large 2");
    await take();
    expect(sent).toContain("large 2");
  });

  it("sends no more than 16 small commands in a turn", async () => {
    const { add, sent, take } = open();
    for (let i = 0; i < 200; i++) void add(`${i}`, 100);
    await take();
    expect(sent).toHaveLength(1 + 16);
  });

  it("returns what Redis answers", async () => {
    expect(await new RedisLine().send(1, async () => "OK")).toBe("OK");
  });

  it("goes on after one that failed, whose failure its sender sees", async () => {
    const { line, add, sent } = open();
    await expect(line.send(1, async () => Promise.reject(new Error("gone")))).rejects.toThrow("gone");
    void add("next", 1);
    await expect.poll(() => sent).toEqual(["next"]);
  });
});
