import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it, test } from "vitest";
import { serve } from "../../packages/client/src/testing/serve.js";
import { childEnvironment } from "./config.js";
import { freshDataDir } from "./testing/recorded-cluster.js";
import { temporaryFolder } from "./testing/temporary-folder.js";

const MAIN = fileURLToPath(new URL("../dist/main.bundle.js", import.meta.url));

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
