import { type ChildProcess, spawn } from "node:child_process";
import { expect, test } from "vitest";
import { sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();

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

const pagesInUse = async (): Promise<number> => {
  const { pages } = await cluster.status();
  return pages.total - pages.free - pages.cached;
};

test("a client that is killed frees its pages", { timeout: 60_000 }, async () => {
  await expect.poll(pagesInUse, { timeout: 10_000 }).toBe(0);
  const { tokens: before } = await cluster.status();
  const client = startClient();
  await new Promise((resolve) => client.stdout?.once("data", resolve));
  expect(await pagesInUse()).toBeGreaterThan(0);
  client.kill("SIGKILL");
  await expect.poll(pagesInUse, { timeout: 10_000 }).toBe(0);
  const { tokens, sequences } = await cluster.status();
  expect(sequences.running).toBe(0);
  expect(tokens.generated - before.generated).toBeLessThan(400);
});
