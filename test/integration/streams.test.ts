import { type ChildProcess, spawn } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningCluster } from "../cluster/start-cluster.js";

let cluster: RunningCluster;
beforeAll(async () => {
  cluster = await RunningCluster.start(["--workers", "2"]);
});
afterAll(async () => {
  await cluster?.stop();
});

/** A client in a process of its own, which prints what it is sent. */
function startClient(): ChildProcess {
  const body = { prompt: "The", max_tokens: 400, ignore_eos: true, stream: true };
  const script = `
    const response = await fetch("${cluster.url}/v1/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: ${JSON.stringify(JSON.stringify(body))},
    });
    for await (const part of response.body) process.stdout.write(part);`;
  return spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: ["ignore", "pipe", "inherit"] });
}

test("a client that is killed frees its pages", { timeout: 60_000 }, async () => {
  const { pages: idle } = await cluster.status();
  expect(idle.free).toBe(idle.total);
  const client = startClient();
  await new Promise((resolve) => client.stdout?.once("data", resolve));
  await expect.poll(async () => (await cluster.status()).sequences.running, { timeout: 10_000, interval: 50 }).toBe(1);
  client.kill("SIGKILL");
  await expect
    .poll(
      async () => {
        const { sequences, pages } = await cluster.status();
        return { running: sequences.running, used: pages.total - pages.free - pages.cached };
      },
      { timeout: 10_000 },
    )
    .toEqual({ running: 0, used: 0 });
  const { tokens } = await cluster.status();
  expect(tokens.generated).toBeLessThan(400);
});
