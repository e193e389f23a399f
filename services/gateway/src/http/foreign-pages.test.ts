import { newApiKey } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { fakeGateway } from "../testing/fake-gateway.js";

const key = newApiKey({ name: "team", requestsPerMinute: null, tokensPerMinute: null });

describe("a gateway on a loopback address, without keys", () => {
  const { app } = fakeGateway(undefined, "ready", { allowedHosts: "llm.example.com" });

  it.each(["localhost:8080", "LOCALHOST.", "127.0.0.1:8080", "[::1]:8080", "192.168.0.7", "gateway-1", "a.localhost"])(
    "answers to %s",
    async (host) => expect((await app.inject({ url: "/v1/models", headers: { host } })).statusCode).toBe(200),
  );

  it("answers to names that are listed", async () => {
    const headers = { host: "llm.example.com:8080" };
    expect((await app.inject({ url: "/v1/models", headers })).statusCode).toBe(200);
  });

  it.each(["evil.example", "evil.example:8080", "evil.example.", "127.0.0.1.evil.example", "localhost.evil.example"])(
    "tells nothing to a page that was led here by the name %s",
    async (host) => {
      for (const url of ["/v1/models", "/v1/files", "/status", "/metrics", "/console/", "/openapi.json"]) {
        const answer = await app.inject({ url, headers: { host } });
        const told = [url, answer.statusCode, answer.json().error.message];
        expect(told).toEqual([url, 403, expect.stringMatching(/--allowed-hosts/)]);
      }
    },
  );
});

describe("without keys", () => {
  const { app } = fakeGateway();
  const host = "localhost:8080";
  const cancel = async (headers: Record<string, string>) =>
    (await app.inject({ method: "POST", url: "/v1/batches/batch_1/cancel", headers: { host, ...headers } })).statusCode;

  it.each([
    ["no browser", {}],
    ["the console", { "sec-fetch-site": "same-origin", origin: "http://localhost:8080" }],
    ["the console behind a proxy", { "sec-fetch-site": "same-origin", origin: "https://llm.example.com" }],
    ["the console in an older browser", { origin: "http://localhost:8080" }],
    ["an extension of the browser", { "sec-fetch-site": "none", origin: "chrome-extension://abc" }],
    ["a page that may", { "sec-fetch-site": "cross-site", origin: "https://page.example" }],
  ])("%s may change something", async (_, headers) => expect(await cancel(headers)).toBe(404));

  it.each([
    ["another site", { "sec-fetch-site": "cross-site", origin: "https://evil.example" }],
    ["another port of this machine", { "sec-fetch-site": "same-site", origin: "http://localhost:3000" }],
    ["a form", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", origin: "https://evil.example" }],
    ["a file of the disk", { "sec-fetch-site": "cross-site", origin: "null" }],
    ["another site, in an older browser", { origin: "https://evil.example" }],
  ])("a page of %s may not", async (_, headers) => expect(await cancel(headers)).toBe(403));

  it("a page of another site may lead its reader here, and embed nothing", async () => {
    const get = async (url: string, mode: string) =>
      (await app.inject({ url, headers: { host, "sec-fetch-site": "cross-site", "sec-fetch-mode": mode } })).statusCode;
    expect(await get("/console/", "navigate")).toBe(200);
    expect(await get("/v1/models", "no-cors")).toBe(403);
  });

  it("a page of another site puts no file into the storage", async () => {
    const payload = '--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n{}\r\n--x--\r\n';
    const headers = { host, origin: "https://evil.example", "content-type": "multipart/form-data; boundary=x" };
    const answer = await app.inject({ method: "POST", url: "/v1/files", headers, payload });
    expect([answer.statusCode, answer.json().error.message]).toEqual([403, expect.stringMatching(/--cors-origins/)]);
  });
});

it("with keys, which no page has, any name and page is taken", async () => {
  const { app } = fakeGateway(undefined, "ready", { keys: [key.key] });
  const headers = { host: "llm.example.com", origin: "https://evil.example", authorization: `Bearer ${key.secret}` };
  expect((await app.inject({ url: "/v1/models", headers })).statusCode).toBe(200);
});
