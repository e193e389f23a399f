import { expect, test } from "vitest";
import { fetchStatus } from "./fetch-status.js";
import { serve } from "./testing/serve.js";

const { signal } = new AbortController();

test("the coordinators that a gateway sees", async () => {
  const { url, requests } = await serve((_, response) => response.end('{"coordinators":[]}'));
  expect(await fetchStatus(url, signal)).toEqual({ coordinators: [] });
  expect(requests[0]?.path).toBe("/status");
});

test("a gateway that keeps its status to itself", async () => {
  const { url } = await serve((_, response) => {
    response.writeHead(404).end('{"error":{"message":"There is no /status here.","code":"not_found"}}');
  });
  await expect(fetchStatus(url, signal)).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("a gateway of another version", async () => {
  const { url } = await serve((_, response) => response.end('{"coordinators":[{"version":2}]}'));
  const message = expect.stringMatching(`The gateway at ${url} sent a status of another version`);
  await expect(fetchStatus(url, signal)).rejects.toMatchObject({ code: "RECORD_UNREADABLE", message });
});
