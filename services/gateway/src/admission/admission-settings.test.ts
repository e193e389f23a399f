import { expect, it } from "vitest";
import { admissionSettings } from "./admission-settings.js";

const read = (text: string) => admissionSettings.trustedProxies.schema.safeParse(text);

it.each(["", "10.0.0.0/8, fd00::/8", "192.0.2.1", "::1", "loopback,uniquelocal"])("takes the proxies %j", (text) =>
  expect(read(text).success).toBe(true),
);

it.each(["10.0.0.0/33", "10.0.0/8", "proxy.example", "10.0.0.0/8/8", "10.0.0.0/x", "fd00::/129"])(
  "refuses the proxies %j",
  (text) => expect(read(text).success).toBe(false),
);
