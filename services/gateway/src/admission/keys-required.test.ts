import { expect, it } from "vitest";
import type { AuthMode } from "./admission-settings.js";
import { keysRequired } from "./key-ring.js";

it.each<[AuthMode, string, boolean]>([
  ["auto", "127.0.0.1", false],
  ["auto", "127.1.2.3", false],
  ["auto", "localhost", false],
  ["auto", "::1", false],
  ["auto", "0.0.0.0", true],
  ["auto", "::", true],
  ["auto", "10.0.0.7", true],
  ["auto", "127.example.com", true],
  ["keys", "127.0.0.1", true],
  ["off", "0.0.0.0", false],
])("%s at %s: keys are asked for = %s", (mode, host, asked) => expect(keysRequired(mode, host)).toBe(asked));
