import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect } from "../cluster/machine.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "rhone-site-"));
const read = (page: string): string => readFileSync(join(folder, page), "utf8");

// A dead link fails the build.
beforeAll(async () => {
  const child = spawn("npx", ["--no-install", "vitepress", "build", "docs", "--outDir", folder], { cwd: ROOT });
  const { code, stdout, stderr } = await collect(child, 280_000);
  expect({ code, output: code === 0 ? "" : stdout + stderr }).toEqual({ code: 0, output: "" });
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("every page of docs/ is there, and in the sidebar", () => {
  const pages = execFileSync("git", ["ls-files", "docs/*.md"], { cwd: ROOT, encoding: "utf8" }).trimEnd().split("\n");
  const home = read("index.html");
  for (const page of pages.map((path) => path.replace(/README\.md$/, "index.md").replace(/\.md$/, ""))) {
    expect(existsSync(join(folder, `${page}.html`)), page).toBe(true);
    if (page !== "docs/index") expect(home).toContain(`href="/${page.replace(/index$/, "")}"`);
  }
});

test("diagrams are drawn, and nothing is fetched from elsewhere", () => {
  expect(read("index.html")).toContain("<svg");
  expect(read("docs/wire.html")).not.toContain("sequenceDiagram");
  expect(read("index.html")).not.toMatch(/(src|href)="https?:\/\/[^"]+\.(js|css|woff2?)"|@import/);
});
