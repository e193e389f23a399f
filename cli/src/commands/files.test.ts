import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { serve } from "../../../packages/client/src/testing/serve.js";
import { commandWriter } from "../config.js";
import { runCommand } from "../testing/run-command.js";
import { temporaryFolder } from "../testing/temporary-folder.js";

const FILE = {
  ...{ id: "file-1", purpose: "batch", filename: "in.jsonl", status: "processed" },
  ...{ bytes: 1500, num_lines: 3, created_at: 1_764_174_600 },
};

describe("rhone files list", () => {
  it("prints a row per file, and on standard error the command for the next page", async () => {
    const page = { data: [FILE], has_more: true };
    const { url, requests } = await serve((_, response) => response.end(JSON.stringify(page)));
    const { stdout, stderr } = await runCommand("files", "list", "--url", url, "--limit", "1");
    expect(requests[0]?.path).toBe("/v1/files?limit=1");
    expect(stdout.split("\n")).toEqual([
      "FILE    PURPOSE  LINES    SIZE  CREATED (UTC)     NAME",
      "file-1  batch        3  1.5 kB  2025-11-26 16:30  in.jsonl",
      "",
    ]);
    expect(stderr).toBe(`More: ${commandWriter()(`files list --limit 1 --after file-1 --url ${url}`)}\n`);
    expect(JSON.parse((await runCommand("files", "ls", "--url", url, "--json")).stdout)).toEqual([FILE]);
  });
});

describe("rhone files download", () => {
  it("prints the file, or writes it", async () => {
    const { url, requests } = await serve((_, response) => response.end("one\ntwo\n"));
    expect((await runCommand("files", "download", "file-1", "--url", url)).stdout).toBe("one\ntwo\n");
    expect(requests[0]?.path).toBe("/v1/files/file-1/content");
    const out = join(await temporaryFolder(), "out.jsonl");
    const { stdout } = await runCommand("files", "download", "file-1", "--url", url, "-o", out);
    expect([stdout, await readFile(out, "utf8")]).toEqual(["", "one\ntwo\n"]);
  });
});

describe("rhone files delete", () => {
  it("deletes one after another, up to the first that can't be", async () => {
    const { url, requests } = await serve(({ path }, response) => {
      if (!path.endsWith("file-2")) return response.end("{}");
      const message = "batch_1 still reads file-2; cancel the batch or wait until it is over.";
      return response.writeHead(400).end(JSON.stringify({ error: { code: "invalid_request", message } }));
    });
    const ids = ["file-1", "file-2", "file-3"];
    const { stdout, error } = await runCommand("files", "delete", ...ids, "--url", url);
    expect(stdout).toBe("deleted file-1\n");
    expect(error).toMatchObject({ code: "INVALID_REQUEST", message: expect.stringMatching(/^batch_1 still reads/) });
    expect(requests.map(({ method, path }) => [method, path])).toEqual([
      ["DELETE", "/v1/files/file-1"],
      ["DELETE", "/v1/files/file-2"],
    ]);
  });
});
