import { RhoneError } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { BatchClient, isOver } from "./batch-client.js";
import { serve } from "./testing/serve.js";

const batch = (status: string, completed = 0) => ({
  id: "batch_1",
  endpoint: "/v1/completions",
  status,
  created_at: 1_764_174_600,
  output_file_id: null,
  error_file_id: null,
  request_counts: { total: 2, completed, failed: 0 },
  errors: null,
});

const clientOf = (url: string, signal = new AbortController().signal) =>
  new BatchClient({ url, apiKey: "k", signal, pollMs: 1 });

describe("BatchClient", () => {
  it("creates a batch of a file", async () => {
    const { url, requests } = await serve((_, response) => response.end(JSON.stringify(batch("validating"))));
    const asked = { format: "openai", fileId: "file_1", endpoint: "/v1/completions", window: "90m" } as const;
    await clientOf(`${url}/`).create(asked);
    const order = { input_file_id: "file_1", endpoint: "/v1/completions", completion_window: "90m" };
    const [create] = requests;
    expect([create?.method, create?.path, JSON.parse(create?.body ?? "")]).toEqual(["POST", "/v1/batches", order]);
    expect(create?.headers.authorization).toBe("Bearer k");
  });

  it("creates a job of a file with Mistral's lines, whose time limit is whole hours", async () => {
    const { url, requests } = await serve((_, response) => response.end(JSON.stringify(batch("validating"))));
    const asked = { format: "mistral", fileId: "file_1", endpoint: "/v1/completions" } as const;
    expect(await clientOf(url).create({ ...asked, window: "120m" })).toMatchObject({ id: "batch_1" });
    const order = { input_files: ["file_1"], endpoint: "/v1/completions", timeout_hours: 2 };
    expect(requests.map(({ path }) => path)).toEqual(["/v1/batch/jobs", "/v1/batches/batch_1"]);
    expect(JSON.parse(requests[0]?.body ?? "")).toEqual(order);
    await expect(clientOf(url).create({ ...asked, window: "90m" })).rejects.toThrow(
      /whole hours, not 90m\. Give --window/,
    );
  });

  it("lists a page, which begins after a batch or with the newest", async () => {
    const page = { data: [batch("completed"), batch("failed")], has_more: true, object: "list" };
    const { url, requests } = await serve((_, response) => response.end(JSON.stringify(page)));
    expect(await clientOf(url).list({ limit: 2 })).toEqual({ data: page.data, hasMore: true });
    await clientOf(url).list({ limit: 2, after: "a&b" });
    expect(requests.map(({ path }) => path)).toEqual(["/v1/batches?limit=2", "/v1/batches?limit=2&after=a%26b"]);
  });

  it("quotes ids in paths", async () => {
    const { url, requests } = await serve((_, response) => response.end(JSON.stringify(batch("cancelling"))));
    await clientOf(url).tell("a/../b", "cancel");
    expect(requests[0]).toMatchObject({ method: "POST", path: "/v1/batches/a%2F..%2Fb/cancel" });
  });

  it("watches a batch to its end, past failures that may pass", async () => {
    const answers = [batch("in_progress"), "503", batch("in_progress", 1), batch("completed", 2)];
    const { url } = await serve((_, response) => {
      const answer = answers.shift();
      if (answer !== "503") return response.end(JSON.stringify(answer));
      return response.writeHead(503).end('{"error":{"message":"restarting","code":"shutting_down"}}');
    });
    const seen: number[] = [];
    for await (const { request_counts: counts } of clientOf(url).watch("batch_1")) seen.push(counts.completed);
    expect(seen).toEqual([0, 1, 2]);
  });

  it("stops watching at a failure that will not pass", async () => {
    const { url, requests } = await serve((_, response) => {
      response.writeHead(404).end('{"error":{"message":"There is no batch x.","code":"not_found"}}');
    });
    const watch = clientOf(url).watch("x").next();
    await expect(watch).rejects.toMatchObject({ code: "NOT_FOUND", message: "There is no batch x." });
    expect(requests).toHaveLength(1);
  });

  it("stops watching when it is interrupted while the gateway is away", async () => {
    const interrupt = new AbortController();
    const watch = clientOf("http://127.0.0.1:1", interrupt.signal).watch("x").next();
    interrupt.abort(new RhoneError("CANCELLED", "Interrupted."));
    await expect(watch).rejects.toMatchObject({ code: "CANCELLED" });
  });
});

it.each([
  ["validating", false],
  ["in_progress", false],
  ["finalizing", false],
  ["cancelling", false],
  ["completed", true],
  ["failed", true],
  ["expired", true],
  ["cancelled", true],
])("a batch that is %s is over: %s", (status, over) => expect(isOver(batch(status))).toBe(over));
