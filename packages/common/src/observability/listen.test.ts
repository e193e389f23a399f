import { createServer } from "node:net";
import { expect, it } from "vitest";
import { listenOrExplain } from "./listen.js";

it.each(["999.1.1.1", "192.0.2.1"])("says that %s is not an address of this machine", async (host) => {
  await expect(listenOrExplain(createServer(), { host, port: 0 })).rejects.toMatchObject({
    code: "INVALID_CONFIG",
    message: `${host} is not an address of this machine.`,
  });
});
