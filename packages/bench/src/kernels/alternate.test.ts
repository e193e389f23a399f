import { expect, it, vi } from "vitest";
import { alternate } from "./alternate.js";

it("runs both in turn after one untimed run of each, and compares medians and least times", async () => {
  const order: string[] = [];
  let now = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  const times = { ours: [100, 2, 9, 4], ggml: [100, 6, 10, 14] };
  const run = (name: "ours" | "ggml") => async () => {
    order.push(name);
    now += times[name].shift() ?? 0;
  };
  const compared = await alternate({ ours: run("ours"), ggml: run("ggml") }, 3);
  clock.mockRestore();
  expect(order).toEqual(["ours", "ggml", "ours", "ggml", "ours", "ggml", "ours", "ggml"]);
  expect(compared).toEqual({
    ours: { median: 4, least: 2 },
    ggml: { median: 10, least: 6 },
    ratio: { median: 2.5, least: 3 },
  });
});
