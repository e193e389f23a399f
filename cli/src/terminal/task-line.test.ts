import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { TaskLine } from "./task-line.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function written(isTTY: boolean, columns = 80) {
  let text = "";
  const output = {
    isTTY,
    columns,
    write: (part: string) => {
      text += part;
    },
  };
  return { line: new TaskLine(output), lines: () => text.split("\r\x1b[2K"), text: () => text };
}

it("is redrawn on a terminal, with seconds and with bytes where they are known, and removed", () => {
  const { line, lines } = written(true);
  line.begin("loading");
  vi.advanceTimersByTime(1000);
  line.progress(50, 100);
  vi.advanceTimersByTime(1000);
  expect(lines()).toContain("loading  1 s");
  expect(lines().at(-1)).toBe("loading  [############------------]  50 %  50 B of 100 B  2 s");
  line.begin("timing");
  expect(lines().at(-1)).toBe("timing  0 s");
  line.close();
  vi.advanceTimersByTime(1000);
  expect(lines().at(-1)).toBe("");
});

it("is one line for each task elsewhere", () => {
  const { line, text } = written(false);
  for (const task of ["loading", "loading", "timing"]) line.begin(task);
  line.progress(1, 2);
  vi.advanceTimersByTime(5000);
  line.close();
  expect(text()).toBe("loading\ntiming\n");
});

it("fits the terminal", () => {
  const { line, lines } = written(true, 12);
  line.begin("a task with a long name");
  expect(lines().at(-1)).toBe("a task with");
});
