import { type AddressInfo, createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { explainBindError, listenOrExplain } from "./listen.js";

const failed = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });
const here = { host: "127.0.0.1", port: 80 };

describe("listenOrExplain", () => {
  it("binds a free port", async () => {
    const server = createServer();
    onTestFinished(() => void server.close());
    await listenOrExplain(server, { host: "127.0.0.1", port: 0 });
    expect((server.address() as AddressInfo).port).toBeGreaterThan(0);
  });

  it("says which address another program uses", async () => {
    const other = createServer();
    onTestFinished(() => void other.close());
    await listenOrExplain(other, { host: "127.0.0.1", port: 0 });
    const { port } = other.address() as AddressInfo;
    await expect(listenOrExplain(createServer(), { host: "127.0.0.1", port })).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: `127.0.0.1:${port} is in use by another program. Stop it or choose another port.`,
      cause: { code: "EADDRINUSE" },
    });
  });

  it.each(["999.1.1.1", "192.0.2.1"])("says that %s is not an address of this machine", async (host) => {
    await expect(listenOrExplain(createServer(), { host, port: 0 })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: `${host} is not an address of this machine.`,
    });
  });
});

describe("explainBindError", () => {
  it.each([
    ["EADDRINUSE", "PORT_IN_USE", /127\.0\.0\.1:80 is in use/],
    ["EACCES", "INVALID_CONFIG", /^No permission to bind 127\.0\.0\.1:80\. Choose a port above 1023\.$/],
    ["EADDRNOTAVAIL", "INVALID_CONFIG", /^127\.0\.0\.1 is not an address/],
    ["EAFNOSUPPORT", "INVALID_CONFIG", /^127\.0\.0\.1 is not an address/],
    ["EINVAL", "INVALID_CONFIG", /^127\.0\.0\.1 is not an address/],
    ["ENOTFOUND", "INVALID_CONFIG", /^127\.0\.0\.1 is not an address/],
    ["EAI_AGAIN", "INVALID_CONFIG", /^127\.0\.0\.1 is not an address/],
  ])("%s becomes %s and is kept as the cause", (errno, code, message) => {
    const cause = failed(errno);
    expect(explainBindError(cause, here)).toMatchObject({ code, message: expect.stringMatching(message), cause });
  });

  it("puts brackets around an IPv6 address", () => {
    const { message } = explainBindError(failed("EADDRINUSE"), { host: "::1", port: 80 });
    expect(message).toMatch(/^\[::1\]:80 is in use/);
  });

  it("leaves other errors alone", () => {
    const error = failed("EMFILE");
    expect(explainBindError(error, here)).toBe(error);
  });
});
