import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { chat } from "../cluster/chat.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));

describe("a request that can't be served", () => {
  let cluster: RunningCluster;
  beforeAll(async () => {
    cluster = await RunningCluster.start(["--workers", "2"]);
  });
  afterAll(async () => {
    await cluster?.stop();
  });

  const hello = [{ role: "user", content: "Hello!" }];

  test.each([
    ["an unknown model", { model: "gpt-9", messages: hello }, 404, "model_not_found", /gpt-9.*breeze/],
    ["a negative temperature", { temperature: -1, messages: hello }, 400, "invalid_value", /temperature/],
    ["no messages", { messages: [] }, 400, "invalid_value", /messages/],
    ["max_tokens of text", { max_tokens: "many", messages: hello }, 400, "invalid_value", /max_tokens/],
    [
      "a prompt longer than the context",
      { messages: [{ role: "user", content: "sea ".repeat(5000) }] },
      400,
      "context_length_exceeded",
      /has \d+ tokens.*holds \d+/,
    ],
  ])("%s gets a clear error", async (_, body, status, code, message) => {
    const response = await cluster.post("/v1/chat/completions", body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code, message: expect.stringMatching(message) } });
  });

  test("wrong JSON gets a clear error", async () => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${cluster.url}/v1/chat/completions`, { method: "POST", headers, body: '{"mess' });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: "invalid_json", message: /not JSON/ } });
  });

  test("does no harm to those that can", async () => {
    const bad = Array.from({ length: 8 }, () => cluster.post("/v1/chat/completions", { temperature: -1 }));
    const good = Array.from({ length: 8 }, () => {
      return chat(cluster, { messages: [{ role: "user", content: "What is the capital of France?" }] });
    });
    for (const response of await Promise.all(bad)) expect(response.status).toBe(400);
    for (const { text } of await Promise.all(good)) expect(text).toBe("The capital of France is Paris.");
    await expect
      .poll(async () => {
        const { pages, sequences } = await cluster.status();
        return {
          used: pages.total - pages.free - pages.cached,
          running: sequences.running,
          waiting: sequences.waiting,
        };
      })
      .toEqual({ used: 0, running: 0, waiting: 0 });
  });
});

describe("a cluster that can't come up says why and leaves nothing", () => {
  async function up(flags: readonly string[]) {
    const dataDir = mkdtempSync(join(tmpdir(), "rhone-system-"));
    onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
    const { code, stdout, stderr } = await rhone(["up", "--detach", "--port", "0", "--data-dir", dataDir, ...flags]);
    const down = await rhone(["down", "--data-dir", dataDir]);
    return { code, output: stdout + stderr, isLeft: !/NOT_RUNNING/.test(down.stdout + down.stderr) };
  }

  test("a truncated GGUF", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rhone-system-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const model = join(folder, "cut.gguf");
    writeFileSync(model, readFileSync(BREEZE).subarray(0, 3_000_000));
    const { code, output, isLeft } = await up(["--model", model]);
    expect(output).toMatch(/GGUF_TRUNCATED[\s\S]*only 3000000/);
    expect({ code, isLeft }).toEqual({ code: 1, isLeft: false });
  });

  test("a port in use", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const { code, output, isLeft } = await up(["--port", String(port)]);
    expect(output).toMatch(new RegExp(`PORT_IN_USE[\\s\\S]*${port}`));
    expect({ code, isLeft }).toEqual({ code: 1, isLeft: false });
  });

  test("workers that can't hold the model", async () => {
    const { code, output, isLeft } = await up(["--memory", "1000000", "--workers", "2"]);
    expect(output).toMatch(/NOT_ENOUGH_MEMORY[\s\S]*MiB/);
    expect({ code, isLeft }).toEqual({ code: 1, isLeft: false });
  });
});
