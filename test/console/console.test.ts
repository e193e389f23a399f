import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { RunningCluster } from "../cluster/start-cluster.js";
import { ConsoleBrowser, hasBrowser, inBrowser } from "./browser.js";

/** Tokens come slowly enough to be stopped, and in any number: they follow a rule. */
const FLAGS = ["--workers", "3", "--threads", "1", "--simulate", "stage-ms=8", "--auth", "keys"];

const PAGES = ["Cluster", "Chat", "Batches", "Plan", "Keys", "Requests"];

const lineOf = (custom_id: string, changes: object = {}): string =>
  JSON.stringify({
    ...{ custom_id, method: "POST", url: "/v1/completions" },
    body: { prompt: "Once", max_tokens: 16, ignore_eos: true, ...changes },
  });

const fileOf = (lines: readonly string[], name = "bad.jsonl") => ({
  ...{ name, mimeType: "application/jsonl" },
  buffer: Buffer.from(`${lines.join("\n")}\n`),
});

let cluster: RunningCluster;
let browser: ConsoleBrowser;
let key: string;

describe("the console", () => {
  beforeAll(async () => {
    if (!hasBrowser) return;
    cluster = await RunningCluster.start(FLAGS);
    key = await cluster.createKey("boss", { isAdmin: true });
    browser = await ConsoleBrowser.open(cluster.url);
  });
  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
  });

  inBrowser("asks for a key, keeps it for the tab alone, and puts it into no address", async () => {
    const asked: string[] = [];
    browser.page.on("request", (request) => asked.push(request.url()));
    await browser.signIn(key);
    const kept = await browser.page.evaluate<[object, object, string]>(
      "[{ ...sessionStorage }, { ...localStorage }, location.href]",
    );
    expect(kept[0]).toEqual({ "rhone.key": key });
    expect(JSON.stringify([kept[1], kept[2], ...asked])).not.toContain("rhone_sk_");
    expect(browser.strayed).toEqual([]);
  });

  inBrowser("is light or dark as the system is, or as its user chooses", async () => {
    const { page } = browser;
    const [light, dark] = ["rgb(245, 247, 248)", "rgb(12, 18, 22)"];
    const ground = () => page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await ground()).toBe(dark);
    await page.getByRole("button", { name: /^System colours/ }).click();
    expect(await ground()).toBe(light);
    await page.emulateMedia({ colorScheme: "light" });
    await page.getByRole("button", { name: /^Light/ }).click();
    expect(await ground()).toBe(dark);
    await page.getByRole("button", { name: /^Dark/ }).click();
    expect(await ground()).toBe(light);
  });

  inBrowser("draws the pipeline as it is", async () => {
    const { page } = browser;
    const stages = page.locator(".flow .stage");
    await expect.poll(() => stages.count()).toBe(3);
    expect(await stages.first().innerText()).toMatch(/Stage 0\s+layers 0–10/);
    expect(await page.getByRole("region", { name: "Events" }).innerText()).toMatch(/Ready|ready, epoch 1/);
  });

  inBrowser("streams an answer, and says how fast it came", async () => {
    const { page } = browser;
    await browser.go("Chat");
    await page.getByLabel("Most tokens").fill("24");
    await page.getByLabel("Message", { exact: true }).fill("What is the capital of France?");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Regenerate" }).waitFor();
    const answer = page.getByRole("article", { name: "Answer" });
    expect(await answer.innerText()).toMatch(/first token \d+.* · [\d.,]+ tokens\/s · \d+ \+ 24 tokens/);
  });

  inBrowser("stops an answer, and its generation", async () => {
    const { page } = browser;
    await page.getByLabel("Most tokens").fill("3000");
    await page.getByLabel("Message", { exact: true }).fill("Go on");
    await page.keyboard.press("Enter");
    const answer = page.getByRole("article", { name: "Answer" }).last();
    await expect.poll(async () => (await answer.innerText()).length).toBeGreaterThan(40);
    expect((await cluster.status()).sequences.running).toBe(1);
    await page.getByRole("button", { name: "Stop" }).click();
    await answer.getByText(/stopped/).waitFor();
    await expect.poll(async () => (await cluster.status()).sequences.running).toBe(0);
  });

  inBrowser("asks again, and asks something else in a question's place", async () => {
    const { page } = browser;
    await page.getByLabel("Most tokens").fill("8");
    await page.getByRole("button", { name: "Regenerate" }).last().click();
    await page.getByText(/\+ 8 tokens/).waitFor();
    await page.getByRole("button", { name: "Edit" }).first().click();
    await page.getByLabel("Edited question").fill("Another one");
    await page.getByRole("button", { name: "Ask this instead" }).click();
    await expect.poll(() => page.getByRole("article", { name: "Answer" }).count()).toBe(1);
    expect(await page.getByRole("article", { name: "You" }).innerText()).toContain("Another one");
  });

  inBrowser("shows each token's probability where that is asked for", async () => {
    const { page } = browser;
    await page.getByLabel("Token probabilities").check();
    await page.getByRole("button", { name: "Regenerate" }).click();
    const heat = page.getByRole("group", { name: /Tokens by probability/ });
    await heat.focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => page.locator(".heat-told").innerText()).toMatch(/%/);
    await page.getByLabel("Token probabilities").uncheck();
  });

  inBrowser("shows the last requests with their phases, and reads an answer again", async () => {
    const { page } = browser;
    await browser.go("Requests");
    const row = page.getByRole("row", { name: /chat completions/ }).first();
    await row.getByRole("button", { name: "Read" }).click();
    await expect.poll(async () => (await page.locator(".read-again").innerText()).length).toBeGreaterThan(10);
    await expect.poll(() => row.innerText()).toMatch(/\bok\b/);
    expect(await page.getByRole("row", { name: /cancelled/ }).count()).toBe(1);
  });

  inBrowser("goes on with an answer while a worker is killed, and the drawing shows the loss and heals", async () => {
    const { page } = browser;
    await browser.go("Chat");
    await page.getByLabel("Most tokens").fill("300");
    await page.getByLabel("Message", { exact: true }).fill("Count");
    await page.keyboard.press("Enter");
    await browser.go("Cluster");
    await page.locator(".flow-moves").waitFor();
    const { pid, worker } = await cluster.workerOf(1);
    process.kill(pid, "SIGKILL");
    await page.locator(".stage-gone", { hasText: worker }).waitFor();
    await page.getByRole("region", { name: "Events" }).getByText(`Worker ${worker} is gone`).waitFor();
    await expect.poll(() => page.locator(".stage-gone").count(), { timeout: 60_000 }).toBe(0);
    await expect.poll(() => page.locator(".flow .stage").count(), { timeout: 60_000 }).toBe(3);
    await page.locator(".pill-good", { hasText: "ready" }).waitFor();
    await browser.go("Chat");
    await expect.poll(() => browser.text(), { timeout: 90_000 }).toMatch(/\+ 300 tokens/);
  });

  inBrowser("goes on with an answer when its gateway is killed, and follows the next one", async () => {
    const { page } = browser;
    await page.getByLabel("Most tokens").fill("120");
    await page.getByLabel("Message", { exact: true }).fill("Count again");
    await page.keyboard.press("Enter");
    const answer = page.getByRole("article", { name: "Answer" }).last();
    await expect.poll(async () => (await answer.innerText()).length).toBeGreaterThan(40);
    const gateway = cluster.record().services.find(({ name }) => name === "gateway");
    process.kill(gateway?.pid ?? 0, "SIGKILL");
    await page.getByText("Connection lost").waitFor();
    await expect.poll(() => browser.text(), { timeout: 60_000 }).toMatch(/\+ 120 tokens/);
    await page.getByText("Live", { exact: true }).waitFor();
  });

  inBrowser("says which lines of a file are bad, here and at the gateway", async () => {
    const { page } = browser;
    await browser.go("Batches");
    await page.getByLabel("File of requests").setInputFiles(fileOf([lineOf("a"), "{oops", lineOf("a")]));
    const problems = page.getByRole("list", { name: "Problems by line" });
    await expect.poll(() => problems.innerText()).toMatch(/Line 2\s+This is no JSON.*\s+Line 3\s+An earlier line/);
    expect(await page.getByRole("button", { name: "Run" }).isDisabled()).toBe(true);
    await page.getByLabel("File of requests").setInputFiles(fileOf([lineOf("a"), lineOf("b", { model: "none" })]));
    await page.getByRole("button", { name: "Run" }).click();
    await expect.poll(() => problems.innerText()).toMatch(/Line 2\s+Line 2 asks for none, a model that does not exist/);
  });

  inBrowser("runs a batch, lets it rest, and saves its answers", async () => {
    const { page } = browser;
    const lines = Array.from({ length: 160 }, (_, index) => lineOf(`line-${index}`));
    await page.getByLabel("File of requests").setInputFiles(fileOf(lines, "good.jsonl"));
    await page.getByRole("button", { name: "Run" }).click();
    const batch = page.locator(".batch", { hasText: "good.jsonl" });
    await batch.getByRole("button", { name: "Pause" }).click();
    await batch.getByText("paused").waitFor();
    await batch.getByRole("button", { name: "Resume" }).click();
    await batch.getByRole("button", { name: "Answers" }).waitFor({ timeout: 60_000 });
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      batch.getByRole("button", { name: "Answers" }).click(),
    ]);
    const answers = readFileSync(await saved.path(), "utf8")
      .trimEnd()
      .split("\n");
    expect(new Set(answers.map((line) => JSON.parse(line).custom_id)).size).toBe(160);
  });

  inBrowser("plans with other workers, and says why a plan fails", async () => {
    const { page } = browser;
    await browser.go("Plan");
    await page.getByLabel("Workers").fill("4");
    await expect.poll(() => page.locator(".plan-stages li").count()).toBe(4);
    await page.getByLabel("Memory of each, GB").fill("0.001");
    await page.getByText(/The model does not fit: worker 1/).waitFor();
  });

  inBrowser("makes a key that works, and revokes it", async () => {
    const { page } = browser;
    await browser.go("Keys");
    await page.getByLabel("Name").fill("intern");
    await page.getByRole("button", { name: "Make the key" }).click();
    const secret = await page.locator(".made-key code").innerText();
    const status = async () =>
      (await fetch(`${cluster.url}/v1/models`, { headers: { authorization: `Bearer ${secret}` } })).status;
    expect(await status()).toBe(200);
    await page.getByRole("button", { name: "Revoke intern" }).click();
    await page.getByRole("button", { name: "Revoke intern for good" }).click();
    await expect.poll(() => page.getByRole("cell", { name: "intern" }).count()).toBe(0);
    await expect.poll(status).toBe(401);
  });

  inBrowser.each([
    ["nests without end", ">".repeat(4000)],
    ["would be a page", '<img src="x" onerror="alert(1)"> [a](javascript:alert(1)) ![b](https://other.example/b.png)'],
  ])("shows an answer that %s as a text", async (_, content) => {
    const { page } = browser;
    await browser.go("Chat");
    await page.getByRole("button", { name: "New conversation" }).click();
    const chunk = JSON.stringify({ choices: [{ delta: { content }, finish_reason: "stop" }] });
    const answered = { contentType: "text/event-stream", body: `data: ${chunk}\n\ndata: [DONE]\n\n` };
    await page.route("**/v1/chat/completions", (route) => route.fulfill(answered), { times: 1 });
    await page.getByLabel("Message", { exact: true }).fill("Repeat");
    await page.keyboard.press("Enter");
    const answer = page.getByRole("article", { name: "Answer" });
    await answer.getByRole("button", { name: "Regenerate" }).waitFor();
    expect(await answer.innerText()).toContain(content.slice(0, 32));
    expect(await answer.locator("img, a:not([href^='https:'])").count()).toBe(0);
  });

  inBrowser("gives its place at the gateway up while nobody sees it, and follows again", async () => {
    const { page } = browser;
    const see = (hidden: boolean) =>
      page.evaluate(
        `Object.defineProperty(document, "hidden", { configurable: true, value: ${hidden} });
         document.dispatchEvent(new Event("visibilitychange"));`,
      );
    const isStream = (request: { url(): string }) => request.url().endsWith("/status/stream");
    const given = page.waitForEvent("requestfailed", isStream);
    await see(true);
    await given;
    const asked = page.waitForEvent("request", isStream);
    await see(false);
    await asked;
    await page.getByText("Live", { exact: true }).waitFor();
  });

  inBrowser.each(PAGES)("%s breaks no rule of accessibility: light or dark, wide or narrow", async (name) => {
    const { page } = browser;
    await browser.go(name);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect([colorScheme, ...(await browser.violations())]).toEqual([colorScheme]);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await browser.violations()).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    await page.setViewportSize({ width: 1360, height: 860 });
  });

  inBrowser("lets the page to try requests do so, under a policy of its own", async () => {
    const { page } = browser;
    await page.goto(`${cluster.url}/docs/`);
    await page.locator(".opblock-summary", { hasText: "/health" }).click();
    await page.getByRole("button", { name: "Execute" }).click();
    await page.locator(".live-responses-table .response-col_status", { hasText: "200" }).waitFor();
  });

  inBrowser("complained of nothing, and asked nobody but its gateway", () => {
    expect([browser.complaints, browser.strayed]).toEqual([[], []]);
  });
});
