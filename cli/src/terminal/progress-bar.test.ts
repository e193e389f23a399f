import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { formatProgress, ProgressBar } from "./progress-bar.js";

function barOn(output: { readonly isTTY?: boolean; readonly columns?: number }) {
  let written = "";
  const bar = new ProgressBar({ ...output, write: (text: string) => (written += text) }, "model");
  return { bar, written: () => written.replaceAll("\r\x1b[2K", "⟲") };
}

describe("formatProgress", () => {
  it.each([
    [0, 1000, "[------------------------]   0 %  0 B of 1.0 kB"],
    [512, 1024, "[############------------]  50 %  512 B of 1.0 kB"],
    [999, 1000, "[#######################-]  99 %  999 B of 1.0 kB"],
    [2000, 1000, "[########################] 100 %  2.0 kB of 1.0 kB"],
    [5000, undefined, "5.0 kB"],
    [0, 0, "0 B"],
  ])("%d of %s", (bytes, total, text) => expect(formatProgress(bytes, total)).toBe(text));
});

describe("ProgressBar", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => void vi.useRealTimers());

  it("redraws one line on a terminal, cut to its width, and replaces it at the end", () => {
    const { bar, written } = barOn({ isTTY: true, columns: 30 });
    bar.updateCount(1, 3, "a.tensor");
    bar.updateCount(2, 3, "b.tensor"); // within 0.1 s
    bar.finish("done");
    expect(written()).toBe("⟲model  1 of 3  a.tensor⟲model  done\n");
    const narrow = barOn({ isTTY: true, columns: 12 });
    narrow.bar.updateCount(1, 3, "a.tensor");
    expect(narrow.written()).toBe("⟲model  1 of");
  });

  it("makes room for a result", () => {
    const { bar, written } = barOn({ isTTY: true });
    bar.updateCount(1, 3, "a.tensor");
    bar.clear();
    expect(written()).toBe("⟲model  1 of 3  a.tensor⟲");
  });

  it("writes a line every 10 s elsewhere, and the end", () => {
    const { bar, written } = barOn({});
    for (let done = 1; done <= 5; done++) {
      vi.advanceTimersByTime(5000);
      bar.updateCount(done, 5, `t${done}`);
    }
    bar.clear();
    bar.finish("done");
    expect(written()).toBe("model  2 of 5  t2\nmodel  4 of 5  t4\nmodel  done\n");
  });

  it("names the part of the task, and shows the rate once bytes have come", () => {
    const { bar, written } = barOn({ isTTY: true });
    bar.update(100, 100, "verifying");
    expect(written()).toMatch(/100 % {2}100 B of 100 B {2}verifying$/);
    vi.advanceTimersByTime(1000);
    bar.update(1100, 1100);
    expect(written()).toMatch(/ {2}1\.1 kB of 1\.1 kB {2}1\.0 kB\/s$/);
  });
});
