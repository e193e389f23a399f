import { Readable } from "node:stream";
import type { Message } from "@rhone/client";
import { afterEach, describe, expect, it, vi } from "vitest";
import { serve } from "../../../packages/client/src/testing/serve.js";
import { freshDataDir, recordedCluster } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { clusterStatus } from "../testing/sample-status.js";
import { AnswerClock, Conversation } from "./generation.js";

afterEach(() => vi.unstubAllEnvs());

/** Says "Once upon" to every prompt; its /status names the model m8. */
const gateway = () =>
  serve(({ path }, response) => {
    if (path === "/status") return response.end(JSON.stringify({ coordinators: [clusterStatus([])] }));
    const chunk = (text: string) => `data: ${JSON.stringify({ choices: [{ text }] })}\n\n`;
    return response.end(`${chunk("Once")}${chunk(" upon")}data: [DONE]\n\n`);
  });

describe("rhone generate", () => {
  it("asks the gateway of --url for the model that it serves", async () => {
    const { url, requests } = await gateway();
    const { stdout, error } = await runCommand("generate", "Tell", "me", "--url", `${url}/`, "-n", "5", "--seed", "7");
    expect(error).toBeUndefined();
    expect(stdout).toBe("Once upon\n");
    expect(requests.map(({ path }) => path)).toEqual(["/status", "/v1/completions"]);
    expect(JSON.parse(requests[1]?.body ?? "")).toMatchObject({
      model: "m8",
      prompt: "Tell me",
      max_tokens: 5,
      seed: 7,
    });
  });

  it("does not ask for the model when it is named, and sends the key", async () => {
    vi.stubEnv("RHONE_API_KEY", "secret");
    const { url, requests } = await gateway();
    await runCommand("generate", "x", "--url", url, "--model", "mine", "-t", "0", "--stop", "a", "b");
    expect(requests).toHaveLength(1);
    expect(requests[0]?.headers.authorization).toBe("Bearer secret");
    expect(JSON.parse(requests[0]?.body ?? "")).toMatchObject({ model: "mine", temperature: 0, stop: ["a", "b"] });
  });

  it("asks the cluster of the data directory otherwise", async () => {
    const { url, requests } = await gateway();
    const { root } = await recordedCluster({ url, model: "breeze" });
    await runCommand("generate", "x", "--data-dir", root);
    expect(JSON.parse(requests[0]?.body ?? "")).toMatchObject({ model: "breeze" });
  });

  it("says that no cluster is running, or that a gateway sees none", async () => {
    const { root } = await freshDataDir();
    expect((await runCommand("generate", "x", "--data-dir", root)).error).toMatchObject({ code: "NOT_RUNNING" });
    const { url } = await serve((_, response) => response.end('{"coordinators":[]}'));
    expect((await runCommand("generate", "x", "--url", url)).error).toMatchObject({
      code: "NOT_RUNNING",
      message: `The gateway at ${url} sees no coordinator; name the model with --model.`,
    });
  });
});

describe("rhone chat", () => {
  it("asks the first message of its arguments", async () => {
    const { url, requests } = await gateway();
    const input = vi.spyOn(process, "stdin", "get").mockReturnValue(Readable.from([]) as typeof process.stdin);
    const { stdout, stderr } = await runCommand("chat", "Tell", "me", "--url", url, "--model", "m8");
    input.mockRestore();
    expect(JSON.parse(requests[0]?.body ?? "")).toMatchObject({ messages: [{ role: "user", content: "Tell me" }] });
    expect([stdout, stderr]).toEqual(["Once upon\n", ""]);
  });
});

describe("AnswerClock", () => {
  async function answer(pieces: readonly (string | number)[], tokens: number | null) {
    let now = 1000;
    const clock = new AnswerClock(() => now);
    async function* timed() {
      for (const piece of pieces) {
        if (typeof piece === "number") now += piece;
        else yield piece;
      }
    }
    let text = "";
    for await (const piece of clock.watch(timed())) text += piece;
    if (tokens !== null) clock.counted(tokens);
    return { text, summary: clock.summary() };
  }

  it.each([
    [["", 310, "a", 2000, "b"], 51, "51 tokens, the first after 0.31 s, then 25.0 tokens/s"],
    [[500, "a"], 1, "1 token, the first after 0.50 s"],
    [[500, "a", 100, "b"], null, "the first after 0.50 s"],
    [["", 400], 0, "0 tokens, the first after 0.40 s"],
  ])("of %j with %s tokens says %s", async (pieces, tokens, summary) => {
    const answered = await answer(pieces, tokens);
    expect(answered).toEqual({ text: pieces.filter((piece) => typeof piece === "string").join(""), summary });
  });
});

describe("Conversation", () => {
  const asked: (readonly Message[])[] = [];
  const echo = async (messages: readonly Message[]) => {
    asked.push(messages);
    return `answer ${asked.length}`;
  };
  const contents = () => asked.at(-1)?.map(({ role, content }) => `${role}: ${content}`);

  it("sends the messages so far with each question, after the instructions", async () => {
    const conversation = new Conversation("Be short.");
    await conversation.say(" Hello ", echo);
    await conversation.say("", echo);
    await conversation.say("More", echo);
    expect(asked).toHaveLength(2);
    expect(contents()).toEqual(["system: Be short.", "user: Hello", "assistant: answer 1", "user: More"]);
  });

  it("starts over at /reset, and forgets a question that failed", async () => {
    const conversation = new Conversation(undefined);
    await conversation.say("Hello", echo);
    await expect(conversation.say("Bad", () => Promise.reject(new Error("gone")))).rejects.toThrow("gone");
    await conversation.say("Again", echo);
    expect(contents()?.filter((line) => line.startsWith("user"))).toEqual(["user: Hello", "user: Again"]);
    await conversation.say("/reset", echo);
    await conversation.say("New", echo);
    expect(contents()).toEqual(["user: New"]);
  });

  it("answers commands itself, and asks what only begins like one", async () => {
    const conversation = new Conversation(undefined);
    const count = asked.length;
    expect(await conversation.say(" /help ", echo)).toMatch(/^\/reset +start over\n\/exit/);
    expect(await conversation.say("/quit", echo)).toBe("There is no command /quit; /help lists them.");
    expect(asked).toHaveLength(count);
    expect(await conversation.say("/etc/hosts is what?", echo)).toBeNull();
    expect(contents()).toEqual(["user: /etc/hosts is what?"]);
  });
});
