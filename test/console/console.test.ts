import { afterAll, beforeAll, describe, expect } from "vitest";
import { RunningCluster } from "../cluster/start-cluster.js";
import { ConsoleBrowser, hasBrowser, inBrowser } from "./browser.js";

/** Tokens come slowly enough to be stopped, and in any number: they follow a rule. */
const FLAGS = ["--workers", "3", "--threads", "1", "--simulate", "stage-ms=8", "--auth", "keys"];

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

  inBrowser("goes on with an answer while a worker is killed, and the drawing shows the loss and heals", async () => {
    const { page } = browser;
    await page.getByLabel("Most tokens").fill("400");
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
    await expect.poll(() => browser.text(), { timeout: 60_000 }).toMatch(/\+ 400 tokens/);
  });

  inBrowser.each(["Cluster", "Chat"])("%s breaks no rule of accessibility, light or dark", async (name) => {
    await browser.go(name);
    for (const colorScheme of ["light", "dark"] as const) {
      await browser.page.emulateMedia({ colorScheme });
      expect([colorScheme, ...(await browser.violations())]).toEqual([colorScheme]);
    }
  });

  inBrowser("complained of nothing, and asked nobody but its gateway", () => {
    expect([browser.complaints, browser.strayed]).toEqual([[], []]);
  });
});
