import { describe, expect, it } from "vitest";
import { askGateway, authorization, fetchStatus, gatewayFailure } from "./ask-gateway.js";
import { serve } from "./testing/serve.js";

const { signal } = new AbortController();

describe("gatewayFailure", () => {
  const body = (code: string | null) => JSON.stringify({ error: { message: "Too much.", code } });

  it.each([
    ["a known code", body("queue_full"), 503, "QUEUE_FULL", "Too much."],
    ["a refused request with a code of a later version", body("prompt_too_odd"), 400, "INVALID_REQUEST", "Too much."],
    ["a failure without a code", body(null), 500, "INTERNAL", "Too much."],
    [
      "another program's page",
      "<h1>Bad gateway</h1>",
      502,
      "INTERNAL",
      "The gateway answered 502: <h1>Bad gateway</h1>",
    ],
    ["JSON of another shape", '{"detail":"no"}', 404, "INTERNAL", 'The gateway answered 404: {"detail":"no"}'],
  ])("%s", (_, text, status, code, message) => expect(gatewayFailure(text, status)).toMatchObject({ code, message }));

  it("shows the beginning of a long page", () => {
    expect(gatewayFailure("x".repeat(10_000), 500).message.length).toBeLessThan(600);
  });
});

describe("askGateway", () => {
  it("sends the key with the other headers, and none without a key", async () => {
    const { url, requests } = await serve(() => {});
    await askGateway(`${url}/a`, { signal, apiKey: "k", headers: { "x-trace": "1" } });
    await askGateway(`${url}/b`, { signal });
    expect(requests[0]?.headers).toMatchObject({ authorization: "Bearer k", "x-trace": "1" });
    expect(requests[1]?.headers).not.toHaveProperty("authorization");
    expect(authorization(undefined)).toEqual({});
  });

  it("names the gateway that does not answer, without the path", async () => {
    await expect(askGateway("http://127.0.0.1:1/v1/models?x=1", { signal })).rejects.toMatchObject({
      code: "NOT_RUNNING",
      message: "No gateway answers at http://127.0.0.1:1; it may still be starting.",
    });
  });

  it("throws the signal's reason when it is aborted", async () => {
    const interrupt = new AbortController();
    const { url } = await serve(() => interrupt.abort(new Error("enough")));
    await expect(askGateway(url, { signal: interrupt.signal })).rejects.toThrow("enough");
  });
});

describe("fetchStatus", () => {
  it("returns the coordinators that a gateway sees", async () => {
    const { url, requests } = await serve((_, response) => response.end('{"coordinators":[]}'));
    expect(await fetchStatus(url, { signal })).toEqual({ coordinators: [] });
    expect(requests[0]?.path).toBe("/status");
    await fetchStatus(url, { signal, apiKey: "k", clusterSecret: "s" });
    expect(requests[1]?.headers).toMatchObject({ authorization: "Bearer k", "x-rhone-secret": "s" });
  });

  it("throws the error of a gateway that keeps its status to itself", async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(404).end('{"error":{"message":"There is no /status here.","code":"not_found"}}');
    });
    await expect(fetchStatus(url, { signal })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("refuses a gateway of another version", async () => {
    const { url } = await serve((_, response) => response.end('{"coordinators":[{"version":2}]}'));
    const message = expect.stringMatching(`The gateway at ${url} sent a status of another version`);
    await expect(fetchStatus(url, { signal })).rejects.toMatchObject({ code: "RECORD_UNREADABLE", message });
  });
});
