import { describe, expect, it } from "vitest";
import { JobLine } from "./job-line.js";

const KiB = 1024;

/** A line, and what it has written; nothing is taken by Redis before `take`. */
function open() {
  const line = new JobLine();
  const written: string[] = [];
  let waiting: (() => void)[] = [];
  const add = (name: string, bytes: number) =>
    line.add(bytes, () => {
      written.push(name);
      return new Promise((resolve) => waiting.push(resolve));
    });
  const take = async () => {
    for (const resolve of waiting.splice(0)) resolve();
    await new Promise(setImmediate);
  };
  waiting = [];
  return { line, written, add, take };
}

describe("a line of jobs", () => {
  it("writes a job at once when none waits", () => {
    const { add, written } = open();
    void add("a", 9000 * KiB);
    expect(written).toEqual(["a"]);
  });

  it("writes a megabyte at a time, and the next once Redis has the last", async () => {
    const { add, written, take } = open();
    for (let i = 0; i < 9; i++) void add(`${i}`, 300 * KiB);
    await take();
    expect(written).toEqual(["0", "1", "2", "3"]);
    await take();
    expect(written).toHaveLength(7);
  });

  it("writes small jobs first, and a large one with each slice of them", async () => {
    const { add, written, take } = open();
    for (let i = 0; i < 3; i++) void add(`large ${i}`, 900 * KiB);
    for (let i = 0; i < 100; i++) void add(`small ${i}`, 1 * KiB);
    await take();
    expect(written.slice(0, 3)).toEqual(["large 0", "large 1", "small 0"]);
    expect(written).not.toContain("large 2");
    await take();
    expect(written).toContain("large 2");
  });

  it("writes no more than 64 small jobs in a turn", async () => {
    const { add, written, take } = open();
    for (let i = 0; i < 200; i++) void add(`${i}`, 100);
    await take();
    expect(written).toHaveLength(1 + 64);
  });

  it("goes on after one that failed, whose failure its sender sees", async () => {
    const { line, add, written } = open();
    await expect(line.add(1, async () => Promise.reject(new Error("gone")))).rejects.toThrow("gone");
    void add("next", 1);
    await expect.poll(() => written).toEqual(["next"]);
  });
});
