import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { FileClient } from "./file-client.js";
import { serve } from "./testing/serve.js";

const clientOf = (url: string) => new FileClient({ url, apiKey: "k", signal: new AbortController().signal });

async function fileWith(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "rhone-client-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'a "b".jsonl');
  await writeFile(path, content);
  return path;
}

it("uploads a file as multipart/form-data and returns its id", async () => {
  const { url, requests } = await serve((_, response) => response.end('{"id":"file_1"}'));
  expect(await clientOf(`${url}/`).upload(await fileWith("line 1\nline 2\n"))).toBe("file_1");
  const [upload] = requests;
  expect([upload?.method, upload?.path, upload?.headers.authorization]).toEqual(["POST", "/v1/files", "Bearer k"]);
  const [, boundary = ""] = /boundary=(.+)$/.exec(upload?.headers["content-type"] ?? "") ?? [];
  const parts = upload?.body.split(`--${boundary}`) ?? [];
  expect(parts[1]).toContain('name="purpose"\r\n\r\nbatch\r\n');
  expect(parts[2]).toContain('filename="a _b_.jsonl"');
  expect(parts[2]?.endsWith("\r\n\r\nline 1\nline 2\n\r\n")).toBe(true);
  expect(parts[3]).toBe("--\r\n");
});

it("refuses a file that can't be read before it asks the gateway", async () => {
  const { url, requests } = await serve(() => {});
  await expect(clientOf(url).upload("/nowhere.jsonl")).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  expect(requests).toEqual([]);
});

it("lists a page with all fields of its files", async () => {
  const file = { id: "f", filename: "a", purpose: "batch", bytes: 1, num_lines: 2, created_at: 3, status: "processed" };
  const { url, requests } = await serve((_, response) =>
    response.end(JSON.stringify({ object: "list", data: [file], has_more: false })),
  );
  expect(await clientOf(url).list({ limit: 5, after: "file 0" })).toEqual({ data: [file], hasMore: false });
  expect(requests[0]).toMatchObject({ method: "GET", path: "/v1/files?limit=5&after=file+0" });
});

it("downloads a file as a stream", async () => {
  const { url, requests } = await serve((_, response) => response.end("one\ntwo\n"));
  expect(await text(await clientOf(url).content("file 1"))).toBe("one\ntwo\n");
  expect(requests[0]?.path).toBe("/v1/files/file%201/content");
});

it("deletes a file, and throws the gateway's refusal", async () => {
  const { url, requests } = await serve(({ path }, response) => {
    if (path.endsWith("/a%2Fb")) return response.end('{"deleted":true}');
    return response.writeHead(404).end('{"error":{"message":"There is no file x.","code":"not_found"}}');
  });
  await clientOf(url).delete("a/b");
  expect(requests[0]).toMatchObject({ method: "DELETE", path: "/v1/files/a%2Fb" });
  await expect(clientOf(url).delete("x")).rejects.toMatchObject({ code: "NOT_FOUND", message: "There is no file x." });
});
