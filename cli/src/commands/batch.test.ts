import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { serve } from "../../../packages/client/src/testing/serve.js";
import { commandWriter } from "../config.js";
import { runCommand } from "../testing/run-command.js";
import { temporaryFolder } from "../testing/temporary-folder.js";

const BATCH = {
  ...{ id: "batch_1", endpoint: "/v1/completions", status: "completed", errors: null, created_at: 1_764_174_600 },
  ...{ output_file_id: "out_1" as string | null, error_file_id: null as string | null },
  request_counts: { total: 3, completed: 3, failed: 0 },
};

async function fileOf(text: string): Promise<string> {
  const path = join(await temporaryFolder(), "in.jsonl");
  await writeFile(path, text);
  return path;
}

/** A gateway whose one batch is `batch`. */
const gateway = (batch: object) =>
  serve(({ path }, response) => {
    if (path === "/v1/files") return response.end('{"id":"file_1"}');
    if (path.endsWith("/content")) return response.end('{"custom_id":"a"}\n');
    return response.end(JSON.stringify(batch));
  });

describe("rhone batch submit", () => {
  it("uploads the file and creates a batch for the endpoint of its first line", async () => {
    const { url, requests } = await gateway({ ...BATCH, status: "validating", output_file_id: null });
    const path = await fileOf('{"custom_id":"a","url":"/v1/completions"}\n');
    const { stdout, stderr, error } = await runCommand("batch", "submit", path, "--url", url, "--window", "90m");
    expect(error).toBeUndefined();
    expect(stdout).toBe("batch_1  validating  3 of 3  /v1/completions\n");
    const command = (name: string) => commandWriter()(`batch ${name} batch_1 --url ${url}`);
    expect(stderr).toBe(`To wait for it: ${command("wait")}\nIts answers then: ${command("download")}\n`);
    expect(JSON.parse(requests.at(-1)?.body ?? "")).toEqual({
      input_file_id: "file_1",
      endpoint: "/v1/completions",
      completion_window: "90m",
    });
  });

  it("waits with --wait, and prints the end, once", async () => {
    const { url } = await gateway(BATCH);
    const path = await fileOf('{"url":"/v1/completions"}\n');
    const submit = ["batch", "submit", path, "--url", url, "--wait"] as const;
    expect(await runCommand(...submit)).toEqual({
      stdout: "batch_1  completed  3 of 3  /v1/completions\noutput  out_1\n",
      stderr: `Answers: ${commandWriter()(`batch download batch_1 --url ${url}`)}\n`,
      error: undefined,
    });
    const { stdout, stderr } = await runCommand(...submit, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ id: "batch_1", status: "completed" });
    expect(stderr).toBe("");
  });
});

it("submits Mistral's lines as a job, and names the command for those that failed", async () => {
  const failed = { ...BATCH, output_file_id: null, error_file_id: "err_1" };
  const { url, requests } = await gateway(failed);
  const path = await fileOf('{"custom_id":"a","body":{"messages":[]}}\n');
  const { stderr } = await runCommand("batch", "submit", path, "--url", url);
  expect(requests.map(({ path: asked }) => asked)).toEqual(["/v1/files", "/v1/batch/jobs", "/v1/batches/batch_1"]);
  expect(JSON.parse(requests[1]?.body ?? "")).toMatchObject({ endpoint: "/v1/chat/completions", timeout_hours: 24 });
  expect(stderr).toBe(`Lines that failed: ${commandWriter()(`batch download batch_1 --errors --url ${url}`)}\n`);
});

it("refuses a file that is not there before it asks the gateway", async () => {
  const { url, requests } = await gateway(BATCH);
  const { error } = await runCommand("batch", "submit", "/nowhere.jsonl", "--url", url);
  expect(error).toMatchObject({ code: "INVALID_REQUEST", message: "There is no file /nowhere.jsonl." });
  expect(requests).toEqual([]);
});

it("refuses a window before it uploads the file, with the windows that there are", async () => {
  const { url, requests } = await gateway(BATCH);
  const { stderr, error } = await runCommand("batch", "submit", "in.jsonl", "--url", url, "--window", "5");
  expect(error).toMatchObject({ code: "commander.invalidArgument" });
  expect(stderr).toMatch(/argument '5' is invalid\. Give minutes or hours, from 1m to 168h, .* requests expire\.\n/);
  expect(requests).toEqual([]);
});

describe("rhone batch list", () => {
  const page = { data: [{ ...BATCH, id: "batch_2" }, BATCH], has_more: true };

  it("prints a row per batch, and on standard error the command for the next page", async () => {
    const { url, requests } = await serve((_, response) => response.end(JSON.stringify(page)));
    const { stdout, stderr } = await runCommand("batch", "list", "--url", url, "-n", "2", "--after", "batch_3");
    expect(requests[0]?.path).toBe("/v1/batches?limit=2&after=batch_3");
    expect(stdout.split("\n").map((line) => line.split(/ {2,}/).slice(0, 3))).toEqual([
      ["BATCH", "STATUS", "DONE"],
      ["batch_2", "completed", "3 of 3"],
      ["batch_1", "completed", "3 of 3"],
      [""],
    ]);
    expect(stderr).toBe(`More: ${commandWriter()(`batch list --limit 2 --after batch_1 --url ${url}`)}\n`);
  });

  it("prints the gateway's objects with --json, and no command after the last page", async () => {
    const { url, requests } = await serve((_, response) => response.end(JSON.stringify({ ...page, has_more: false })));
    const { stdout, stderr } = await runCommand("batch", "ls", "--url", url, "--json");
    expect(requests[0]?.path).toBe("/v1/batches?limit=20");
    expect([JSON.parse(stdout), stderr]).toEqual([page.data, ""]);
  });
});

describe("rhone batch wait", () => {
  it.each([
    ["its problem", [{ code: "invalid_line", message: "Line 2 is no JSON." }], "batch_1 failed: Line 2 is no JSON."],
    ["its status", [], "batch_1 failed."],
  ])("fails with %s when the batch does not complete", async (_, data, message) => {
    const { url } = await gateway({ ...BATCH, status: "failed", errors: { data } });
    const { error } = await runCommand("batch", "wait", "batch_1", "--url", url);
    expect(error).toMatchObject({ code: "BATCH_FAILED", message });
  });
});

describe.each(["wait", "submit"])("rhone batch %s with failed lines", (command) => {
  const ended = async (counts: object, ...flags: string[]) => {
    const { url } = await gateway({ ...BATCH, error_file_id: "err_1", request_counts: counts });
    const path = await fileOf('{"url":"/v1/completions"}\n');
    const args = command === "wait" ? ["wait", "batch_1"] : ["submit", path, "--wait"];
    return runCommand("batch", ...args, "--url", url, ...flags);
  };

  it.each([
    [{ total: 3, completed: 2, failed: 1 }, "BATCH_LINES_FAILED", "batch_1 completed, but 1 of its 3 lines failed."],
    [
      { total: 3, completed: 0, failed: 3 },
      "BATCH_FAILED",
      "batch_1 completed without an answer: all of its 3 lines failed.",
    ],
    [
      { total: 1, completed: 0, failed: 1 },
      "BATCH_FAILED",
      "batch_1 completed without an answer: its only line failed.",
    ],
  ])("fails, after it printed the batch: %j", async (counts, code, message) => {
    const { stdout, stderr, error } = await ended(counts);
    expect(error).toMatchObject({ code, message });
    expect(stdout).toContain(`batch_1  completed  ${counts.total} of ${counts.total}, ${counts.failed} failed`);
    expect(stderr).toMatch(/^Lines that failed: .* batch download batch_1 --errors /m);
    const json = await ended(counts, "--json");
    expect([JSON.parse(json.stdout).request_counts, json.error]).toEqual([counts, expect.objectContaining({ code })]);
  });
});

it.each(["failed", "expired", "cancelled"])("waiting for a batch that ends %s fails", async (status) => {
  const { url } = await gateway({ ...BATCH, status, request_counts: { total: 3, completed: 1, failed: 0 } });
  const { error } = await runCommand("batch", "wait", "batch_1", "--url", url);
  const ended = status === "cancelled" ? "was cancelled" : status;
  expect(error).toMatchObject({ code: "BATCH_FAILED", message: `batch_1 ${ended}.` });
});

describe("rhone batch pause", () => {
  it("says that the batch rests, and how it goes on", async () => {
    const { url, requests } = await gateway({ ...BATCH, status: "in_progress", paused_at: 5 });
    const { stdout, stderr } = await runCommand("batch", "pause", "batch_1", "--url", url);
    expect(stdout).toMatch(/^batch_1 {2}paused /);
    expect(stderr).toMatch(/batch resume batch_1/);
    expect(requests[0]).toMatchObject({ method: "POST", path: "/v1/batches/batch_1/pause" });
  });
});

describe("rhone batch cancel", () => {
  it("prints the batch as it is then", async () => {
    const { url, requests } = await gateway({ ...BATCH, status: "cancelling" });
    expect((await runCommand("batch", "cancel", "batch_1", "--url", url)).stdout).toContain("cancelling");
    expect(requests[0]).toMatchObject({ method: "POST", path: "/v1/batches/batch_1/cancel" });
  });
});

describe("rhone batch download", () => {
  it("prints the output file, or writes it", async () => {
    const { url } = await gateway(BATCH);
    expect((await runCommand("batch", "download", "batch_1", "--url", url)).stdout).toBe('{"custom_id":"a"}\n');
    const out = join(await temporaryFolder(), "out.jsonl");
    const { stdout } = await runCommand("batch", "download", "batch_1", "--url", url, "-o", out);
    expect([stdout, await readFile(out, "utf8")]).toEqual(["", '{"custom_id":"a"}\n']);
  });

  it.each([
    [[], "batch_1 has no output file; its status is in_progress."],
    [["--errors"], "batch_1 has no error file; its status is in_progress."],
  ])("refuses what is not there: %j", async (flags, message) => {
    const { url } = await gateway({ ...BATCH, status: "in_progress", output_file_id: null });
    const { error } = await runCommand("batch", "download", "batch_1", "--url", url, ...flags);
    expect(error).toMatchObject({ code: "NOT_FOUND", message });
  });

  it("names the error file of a batch whose lines all failed", async () => {
    const { url } = await gateway({ ...BATCH, output_file_id: null, error_file_id: "err_1" });
    const { error } = await runCommand("batch", "download", "batch_1", "--url", url);
    expect(error).toMatchObject({ message: expect.stringMatching(/error file, which --errors prints\.$/) });
  });
});
