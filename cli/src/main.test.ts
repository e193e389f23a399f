import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it, test } from "vitest";
import { serve } from "../../packages/client/src/testing/serve.js";
import { childEnvironment } from "./config.js";
import { freshDataDir } from "./testing/recorded-cluster.js";
import { temporaryFolder } from "./testing/temporary-folder.js";

const MAIN = fileURLToPath(new URL("../dist/rhone.bundle.js", import.meta.url));

/** The exit code of a command that reads `input`, and what it wrote. */
async function run(args: readonly string[], { input = "", ...env }: NodeJS.ProcessEnv & { input?: string } = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], { env: childEnvironment(env), stdio: "pipe" });
  child.stdin.end(input);
  const texts = [child.stdout, child.stderr].map((output) => text(output));
  const [code] = await once(child, "close");
  const [output, errors] = await Promise.all(texts);
  return { code, output, errors };
}

test("a failure suggests commands for the directory that was named, as this one was called", async () => {
  const folder = await temporaryFolder();
  const { code, errors } = await run(["down", "--data-dir", folder], { RHONE_COMMAND: "./rhone" });
  expect(code).toBe(3);
  expect(errors).toContain(`Start a cluster with: ./rhone up --data-dir ${folder}\n`);
});

describe("a chat whose lines are piped", () => {
  it("has the answers alone as its output", async () => {
    const { url } = await serve((_, response) => {
      response.end('data: {"choices":[{"delta":{"content":"Yes."}}]}\n\ndata: [DONE]\n\n');
    });
    const { code, output, errors } = await run(["chat", "--url", url, "--model", "m"], { input: "One?\nTwo?\n" });
    expect({ code, output, errors }).toEqual({ code: 0, output: "Yes.\nYes.\n", errors: "" });
  });

  it("fails with the first request that does", async () => {
    const { url, requests } = await serve((_, response) => {
      response.statusCode = 401;
      response.end('{"error":{"code":"invalid_api_key","message":"This API key does not exist."}}');
    });
    const { code, output, errors } = await run(["chat", "--url", url, "--model", "m"], { input: "One?\nTwo?\n" });
    expect({ code, output, asked: requests.length }).toEqual({ code: 1, output: "", asked: 1 });
    expect(errors).toMatch(/^✗ INVALID_API_KEY\n {2}This API key does not exist\.\n {2}Set RHONE_API_KEY to/);
  });
});

/** A command that gets SIGINT as soon as `isUnderWay` resolves: its exit code, and what it wrote. */
async function interrupted(args: readonly string[], env: NodeJS.ProcessEnv, isUnderWay: Promise<unknown>) {
  const child = spawn(process.execPath, [MAIN, ...args], { env: childEnvironment(env), stdio: "pipe" });
  const texts = [child.stdout, child.stderr].map((output) => text(output));
  await isUnderWay;
  child.kill("SIGINT");
  const [code] = await once(child, "close");
  const [output, errors] = await Promise.all(texts);
  return { code, output, errors };
}

describe("an interrupted command says what is left", () => {
  const command = { RHONE_COMMAND: "./rhone" };

  it("a batch goes on without the command that waited for it", async () => {
    const asked = new EventEmitter();
    const { url } = await serve((_, response) => {
      asked.emit("asked");
      const files = { output_file_id: null, error_file_id: null, errors: null };
      const counts = { request_counts: { total: 2, completed: 1, failed: 0 }, created_at: 0 };
      response.end(JSON.stringify({ id: "batch_1", endpoint: "e", status: "in_progress", ...files, ...counts }));
    });
    const { code, errors } = await interrupted(
      ["batch", "wait", "batch_1", "--url", url],
      command,
      once(asked, "asked"),
    );
    expect(code).toBe(130);
    expect(errors).toContain(`batch_1 goes on. To wait for it again: ./rhone batch wait batch_1 --url ${url}`);
  });

  it("a download is kept", async () => {
    const folder = await temporaryFolder();
    const asked = new EventEmitter();
    const { url } = await serve(() => {
      asked.emit("asked");
      return new Promise(() => {}); // no answer comes
    });
    const args = ["model", "pull", "smollm2-135m-instruct", "--data-dir", folder];
    const { code, errors } = await interrupted(args, { ...command, HF_ENDPOINT: url }, once(asked, "asked"));
    expect(code).toBe(130);
    expect(errors).toContain(`To go on: ./rhone model pull smollm2-135m-instruct --data-dir ${folder}`);
  });

  it("a cluster that was being started in the background is stopped", { timeout: 60_000 }, async () => {
    const dataDir = await freshDataDir();
    const isClaimed = expect.poll(() => existsSync(dataDir.clusterFile), { timeout: 30_000 }).toBe(true);
    const args = ["up", "--detach", "--port", "0", "--data-dir", dataDir.root, "--simulate", "null"];
    const { code, output } = await interrupted(args, { ...command, REDIS_URL: "" }, isClaimed);
    expect(code).toBe(130);
    expect(output).toMatch(
      /Stopping\. Press Ctrl-C again to kill all processes\.\n(.*\n)* *Stopped\. None of its .*left\.\n$/,
    );
    expect(existsSync(dataDir.clusterFile)).toBe(false);
    expect(await readFile(join(dataDir.logs, "supervisor.log"), "utf8")).toContain("stopped before it was ready");
  });
});

test("a log that can't be read is a failure", async () => {
  const { root, logs } = await freshDataDir();
  await mkdir(join(logs, "gateway.log"));
  const { code, errors } = await run(["logs", "--data-dir", root]);
  expect(code).toBe(1);
  expect(errors).toContain("gateway.log");
});

test("a reader that leaves early gets no stack trace", async () => {
  const child = spawn(process.execPath, [MAIN, "up", "--help"], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  let errors = "";
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  const [code] = await once(child, "close");
  expect({ code, errors }).toEqual({ code: 0, errors: "" });
});
