import { expect, test } from "vitest";
import { describeLimits } from "./memory-limits.js";

const worker = (name: string, memoryTotal: number, memoryFrom?: string) => ({ worker: name, memoryTotal, memoryFrom });
const FREE = "30 % of 15.0 GB free";

test.each([
  [["4.5 GB: 90 % of 5.0 GB free"], [worker("a", 4.5e9, "90 % of 5.0 GB free")]],
  [[`4.5 GB per worker: ${FREE}`], [worker("a", 4.5e9, FREE), worker("b", 4.5e9, FREE)]],
  [
    [`4.5 GB of a, c: ${FREE}`, "6.0 GB of b: --memory"],
    [worker("a", 4.5e9, FREE), worker("b", 6e9, "--memory"), worker("c", 4.5e9, FREE)],
  ],
  [[`4.5 GB of a: ${FREE}`], [worker("a", 4.5e9, FREE), worker("old", 4.5e9)]],
  [[], [worker("old", 4.5e9), worker("hidden", 4.5e9, "")]],
])("%j", (lines, workers) => expect(describeLimits(workers)).toEqual(lines));
