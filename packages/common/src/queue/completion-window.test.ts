import { expect, test } from "vitest";
import { windowSeconds } from "./completion-window.js";

test.each([
  ["1m", 60],
  ["90m", 5400],
  ["24h", 86_400],
  ["168h", 604_800],
  ["10080m", 604_800],
])("%s is %d seconds", (text, seconds) => expect(windowSeconds(text)).toBe(seconds));

test.each(["5", "", "h", "0h", "-1h", "1.5h", "24 h", "24H", "2d", "169h", "10081m", "100000m", "24h24h"])(
  "%j is no window",
  (text) => expect(windowSeconds(text)).toBeNull(),
);
