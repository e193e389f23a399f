import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { test } from "vitest";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The browser of this machine; RHONE_CHROMIUM names another one. */
const executablePath = [process.env.RHONE_CHROMIUM ?? "", ...PLACES].find((path) => existsSync(path));

/** Whether there is one. Where there is none, tests of pages are skipped, and this says so. */
export const hasBrowser = executablePath !== undefined;
if (!hasBrowser) process.stderr.write("No Chromium: tests of the console are skipped (apt-get install chromium).\n");

/** A test that needs a browser. */
export const inBrowser = test.skipIf(!hasBrowser);

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** A browser with one page of the console, which may use one key. */
export class ConsoleBrowser {
  readonly page: Page;
  /** What the page said in its console, and what it threw. */
  readonly complaints: string[] = [];
  /** Addresses outside the gateway that the page asked for. */
  readonly strayed: string[] = [];
  readonly #browser: Browser;
  readonly #context: BrowserContext;
  readonly #url: string;

  private constructor(browser: Browser, context: BrowserContext, page: Page, url: string) {
    this.#browser = browser;
    this.#context = context;
    this.page = page;
    this.#url = url;
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("console", (message) => {
      // A refused request is one, and the page tells its user.
      const { url: source } = message.location();
      if (message.type() === "error" && !/Failed to load resource/.test(message.text()))
        this.complaints.push(`${message.text()} (${source})`);
    });
    page.on("request", (request) => {
      const asked = request.url();
      if (!asked.startsWith(url) && !asked.startsWith("blob:") && !asked.startsWith("data:")) this.strayed.push(asked);
    });
  }

  /** `url`: of the gateway. */
  static async open(url: string, options: Parameters<Browser["newContext"]>[0] = {}): Promise<ConsoleBrowser> {
    const browser = await chromium.launch({ executablePath: executablePath ?? "", args: ["--no-sandbox"] });
    const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, ...options });
    context.setDefaultTimeout(20_000);
    return new ConsoleBrowser(browser, context, await context.newPage(), url);
  }

  /** Opens the console and types the key into the dialog that asks for it. */
  async signIn(key: string): Promise<void> {
    await this.page.goto(`${this.#url}/console`);
    await this.page.getByLabel("Key, or the cluster's secret").fill(key);
    await this.page.getByRole("button", { name: "Use this key" }).click();
    await this.page.getByText("Live", { exact: true }).waitFor();
  }

  /** What the page says now. */
  text(): Promise<string> {
    return this.page.getByRole("main").innerText();
  }

  async go(name: string): Promise<void> {
    await this.page.getByRole("navigation").getByRole("link", { name }).click();
    await this.page.getByRole("heading", { level: 1, name }).waitFor();
  }

  /** Rules of WCAG 2 A and AA, and good practice, that the page breaks as it is, with the elements. */
  async violations(): Promise<readonly string[]> {
    const session = await this.#context.newCDPSession(this.page);
    // Through the debugger, which the page's policy does not bind.
    const evaluate = async (expression: string) => {
      const { result, exceptionDetails } = await session.send("Runtime.evaluate", {
        ...{ expression, awaitPromise: true, returnByValue: true },
      });
      if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description);
      return result.value as unknown;
    };
    await evaluate(await readFile(AXE, "utf8"));
    const found = (await evaluate("axe.run().then(({ violations }) => violations)")) as readonly Violation[];
    await session.detach();
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}
