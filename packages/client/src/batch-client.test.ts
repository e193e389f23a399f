import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { RhoneError } from "@rhone/common";
import { describe, expect, it, onTestFinished } from "vitest";
import { BatchClient, isOver } from "./batch-client.js";
import { serve } from "./testing/serve.js";

const batch = (status: string, completed = 0) => ({
  id: "batch_1",
  endpoint: "/v1/completions",
  status,
  output_file_id: null,
  error_file_id: null,
  request_counts: { total: 2, completed, failed: 0 },
  errors: null,
});

const clientOf = (url: string, signal = new AbortController().signal) =>
  new BatchClient({ url, apiKey: "k", signal, pollMs: 1 });

async function fileWith(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "rhone-client-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'a "b".jsonl');
  await writeFile(path, content);
  return path;
}

describe("BatchClient", () => {
  it("uploads a file as multipart/form-data and creates a batch of it", async () => {
    const { url, requests } = await serve(({ path }, response) => {
      response.end(JSON.stringify(path === "/v1/files" ? { id: "file_1" } : batch("validating")));
    });
    const client = clientOf(`${url}/`);
    const fileId = await client.upload(await fileWith("line 1\nline 2\n"));
    await client.create({ fileId, endpoint: "/v1/completions", window: "90m" });
    const [upload, create] = requests;
    const [, boundary = ""] = /boundary=(.+)$/.exec(upload?.headers["content-type"] ?? "") ?? [];
    const parts = upload?.body.split(`--${boundary}`) ?? [];
    expect(parts[1]).toContain('name="purpose"\r\n\r\nbatch\r\n');
    expect(parts[2]).toContain('filename="a _b_.jsonl"');
    expect(parts[2]?.endsWith("\r\n\r\nline 1\nline 2\n\r\n")).toBe(true);
    expect(parts[3]).toBe("--\r\n");
    const order = { input_file_id: "file_1", endpoint: "/v1/completions", completion_window: "90m" };
    expect([create?.method, create?.path, JSON.parse(create?.body ?? "")]).toEqual(["POST", "/v1/batches", order]);
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(["Bearer k", "Bearer k"]);
  });

  it("refuses a file that can't be read before it asks the gateway", async () => {
    const { url, requests } = await serve(() => {});
    await expect(clientOf(url).upload("/nowhere.jsonl")).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(requests).toEqual([]);
  });

  it("quotes ids in paths", async () => {
    const { url, requests } = await serve((_, response) => response.end(JSON.stringify(batch("cancelling"))));
    await clientOf(url).cancel("a/../b");
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

  it("downloads a file as a stream", async () => {
    const { url, requests } = await serve((_, response) => response.end("one\ntwo\n"));
    expect(await text(await clientOf(url).content("file 1"))).toBe("one\ntwo\n");
    expect(requests[0]?.path).toBe("/v1/files/file%201/content");
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
