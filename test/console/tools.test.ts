import { afterAll, beforeAll, describe, expect } from "vitest";
import { RunningCluster } from "../cluster/start-cluster.js";
import { ConsoleBrowser, hasBrowser, inBrowser } from "./browser.js";

const TOOLS = [
  {
    type: "function",
    function: {
      name: "weather",
      parameters: { type: "object", properties: { city: { enum: ["Paris", "Lyon"] } }, required: ["city"] },
    },
  },
];

interface Message {
  readonly role: string;
  readonly content: string;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly { readonly id: string; readonly function: { readonly name: string } }[];
}

let cluster: RunningCluster;
let browser: ConsoleBrowser;
/** The bodies of the chats that were asked for. */
const asked: { readonly messages: readonly Message[]; readonly tool_choice?: string }[] = [];

describe("a conversation with tools", () => {
  beforeAll(async () => {
    if (!hasBrowser) return;
    cluster = await RunningCluster.start(["--workers", "1", "--threads", "1"]);
    browser = await ConsoleBrowser.open(cluster.url);
    browser.page.on("request", (request) => {
      if (request.url().endsWith("/v1/chat/completions")) asked.push(request.postDataJSON());
    });
    await browser.page.goto(`${cluster.url}/console#/chat`);
  });
  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
  });

  inBrowser("shows the calls of an answer, and wants a result for each", async () => {
    const { page } = browser;
    await page.getByLabel("Most tokens").fill("200");
    await page.getByLabel("Offer tools").check();
    await page.getByLabel("Tools, as the API takes them").fill(JSON.stringify(TOOLS));
    await page.getByLabel("Answer questions by a call").check();
    await page.getByLabel("Message", { exact: true }).fill("What is the weather in Paris?");
    await page.keyboard.press("Enter");
    const form = page.getByRole("form", { name: "Results of the calls" });
    await form.waitFor();
    const calls = await page.getByRole("figure", { name: "Call of weather" }).count();
    expect(calls).toBeGreaterThan(0);
    expect(await form.getByRole("textbox").count()).toBe(calls);
    expect(await form.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
    expect(await browser.violations()).toEqual([]);
  });

  inBrowser("goes on with the results, each with the id of its call", async () => {
    const { page } = browser;
    const fields = await page.getByRole("form", { name: "Results of the calls" }).getByRole("textbox").all();
    for (const [at, field] of fields.entries()) await field.fill(`{"celsius":${at}}`);
    await page.getByRole("button", { name: /^Send the results?$/ }).click();
    await expect.poll(() => page.getByRole("article", { name: "Answer" }).count()).toBe(2);
    await page.getByRole("button", { name: "Regenerate" }).nth(1).waitFor();
    expect(asked.map((body) => body.tool_choice)).toEqual(["required", undefined]);
    const [question, answer, ...results] = asked[1]?.messages ?? [];
    expect(question).toEqual({ role: "user", content: "What is the weather in Paris?" });
    const ids = answer?.tool_calls?.map(({ id }) => id) ?? [];
    expect(results).toEqual(ids.map((id, at) => ({ role: "tool", tool_call_id: id, content: `{"celsius":${at}}` })));
    expect(results).toHaveLength(fields.length);
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  inBrowser("takes other results in their place, and answers again", async () => {
    const { page } = browser;
    await page.getByRole("button", { name: "Edit the results" }).click();
    await page.getByRole("form", { name: "Results of the calls" }).getByRole("textbox").first().fill("it rains");
    await page.getByRole("button", { name: /^Send the results?$/ }).click();
    await expect.poll(() => asked.length).toBe(3);
    expect(asked[2]?.messages.find(({ role }) => role === "tool")?.content).toBe("it rains");
    await page.getByRole("button", { name: "Regenerate" }).nth(1).waitFor();
    expect(await page.getByRole("article", { name: "Results" }).innerText()).toContain("it rains");
    expect(await browser.violations()).toEqual([]);
    expect(browser.complaints).toEqual([]);
  });
});
