import { simulatedTokens } from "@rhone/common";
import { afterAll, beforeAll, expect, test } from "vitest";
import { identifyProcess } from "../../cli/dist/processes/process-identity.js";
import { streamChat } from "../cluster/chat.js";
import { pidsOf } from "../cluster/processes.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

const STREAMS = 32;
const TOKENS = 100;

let cluster: RunningCluster;
beforeAll(async () => {
  cluster = await RunningCluster.start(["--workers", "3", "--simulate", "null"]);
});
afterAll(async () => {
  await cluster?.stop();
});

test("32 concurrent streams get exactly the tokens of the rule", { timeout: 60_000 }, async () => {
  const { model } = await cluster.status();
  const streams = Array.from({ length: STREAMS }, (_, index) => {
    const content = `Stream ${"and ".repeat(index)}on`;
    return streamChat(cluster, { messages: [{ role: "user", content }], max_tokens: TOKENS, ignore_eos: true });
  });
  const answers = await Promise.all(streams);
  for (const { promptIds, ids, finish } of answers) {
    expect(ids).toEqual(simulatedTokens(promptIds, TOKENS, model.vocabSize));
    expect(finish).toBe("length");
  }
  expect(new Set(answers.map(({ text }) => text)).size).toBeGreaterThan(STREAMS / 2);
});

test("status and answers say that it is simulated", async () => {
  const { stdout } = await rhone(["status", "--data-dir", cluster.dataDir]);
  expect(stdout).toMatch(/simulated: its tokens are meaningless/);
  const messages = [{ role: "user", content: "Hi" }];
  const answer = await cluster.ask("/v1/chat/completions", { messages, max_tokens: 1 });
  expect(answer).toMatchObject({ system_fingerprint: "fp_simulated" });
});

test("rhone down ends all of its processes", async () => {
  const pids = Object.values(pidsOf(cluster));
  expect(pids).toHaveLength(7);
  const down = await rhone(["down", "--data-dir", cluster.dataDir]);
  expect(down).toEqual({ code: 0, stdout: "stopped\n", stderr: "" });
  expect(pids.map(identifyProcess)).toEqual(pids.map(() => null));
});
