import { expect, it, vi } from "vitest";
import type { Logger } from "../observability/logger.js";
import { advertisedHost } from "./advertised-host.js";

it.each([
  { settings: { host: "127.0.0.1" }, advertised: "127.0.0.1", warnings: 0 },
  { settings: { host: "0.0.0.0", advertiseHost: "node-a" }, advertised: "node-a", warnings: 0 },
  { settings: { host: "0.0.0.0" }, advertised: "0.0.0.0", warnings: 1 },
  { settings: { host: "::" }, advertised: "::", warnings: 1 },
])("warns of an address that other machines can't reach: $settings", ({ settings, advertised, warnings }) => {
  const logger = { warn: vi.fn() } as unknown as Logger;
  expect(advertisedHost(settings, logger)).toBe(advertised);
  expect(logger.warn).toHaveBeenCalledTimes(warnings);
});
