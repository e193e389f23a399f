import { describe, expect, it } from "vitest";
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
  it("redraws one line on a terminal, cut to its width, and replaces it at the end", () => {
    const { bar, written } = barOn({ isTTY: true, columns: 30 });
    bar.updateCount(1, 3, "a.tensor");
    bar.finish("done");
    expect(written()).toBe("⟲model  1 of 3  a.tensor⟲model  done\n");
    const narrow = barOn({ isTTY: true, columns: 12 });
    narrow.bar.updateCount(1, 3, "a.tensor");
    expect(narrow.written()).toBe("⟲model  1 of");
  });

  it("writes lines elsewhere, not more than a log needs, but always the last", () => {
    const { bar, written } = barOn({});
    for (let done = 1; done <= 100; done++) bar.updateCount(done, 100, `t${done}`);
    bar.finish("done");
    expect(written()).toMatch(/^(model {2}1 of 100 {2}t1\n)?model {2}100 of 100 {2}t100\nmodel {2}done\n$/);
  });

  it("names the part of the task, and shows the rate once bytes have come", () => {
    const { bar, written } = barOn({});
    bar.update(100, 100, "verifying");
    expect(written()).toMatch(/100 % {2}100 B of 100 B {2}verifying\n$/);
    const running = barOn({});
    running.bar.update(0, 100);
    running.bar.update(100, 100);
    expect(running.written().trimEnd().split("\n").at(-1)).toMatch(/ B\/s$|[kMGT]B\/s$/);
  });
});
