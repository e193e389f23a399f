import { type SpawnOptions, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandResult, collect } from "../cluster/machine.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "rhone-package-"));
const dataDir = join(folder, "data");
/** That releases are built from. */
const REPOSITORY = "https://github.example/owner/rhone";
const UNREACHABLE = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|ENOTCACHED)\b/;

function run(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<CommandResult> {
  return collect(spawn(command, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"], ...options }), 120_000);
}

// As a user calls it: npx finds the command in the folder's own packages.
const npx = (...args: readonly string[]) => run("npx", ["--no-install", "rhone", ...args, "--data-dir", dataDir]);

/** Why the package could not be installed: without npm's registry only what npm has kept is there. */
let missing: string | undefined;

beforeAll(async () => {
  const env = { ...process.env, RHONE_REPOSITORY: REPOSITORY };
  const packed = await run(process.execPath, [join(ROOT, "scripts/pack.mjs")], { env });
  expect(packed).toMatchObject({ code: 0 });
  writeFileSync(join(folder, "package.json"), "{}");
  const tarball = packed.stdout.trim();
  const installed = await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", tarball]);
  missing = UNREACHABLE.exec(installed.stderr)?.[0];
  if (missing === undefined) expect(installed).toMatchObject({ code: 0 });
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the package names its repository, as npm demands of one with provenance", () => {
  const manifest = readFileSync(join(ROOT, "dist/npm/package.json"), "utf8");
  expect(JSON.parse(manifest).repository).toEqual({ type: "git", url: `git+${REPOSITORY}.git` });
});

test("the package, installed in an empty folder, serves a model", async (context) => {
  if (missing !== undefined) context.skip(`npm's registry is not reached: ${missing}`);
  const { code, stdout, stderr } = await npx("up", "--detach", "--port", "0");
  expect({ code, stderr }).toMatchObject({ code: 0 });
  try {
    const url = /ready (http:\S+)/.exec(stdout)?.[1] ?? "";
    // The schema's grammar and the page of requests need files that no bundle has.
    const schema = { type: "object", properties: { city: { enum: ["Paris", "Rome"] } }, required: ["city"] };
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: "breeze",
        messages: [{ role: "user", content: "What is the capital of France?" }],
        response_format: { type: "json_schema", json_schema: { name: "answer", strict: true, schema } },
      }),
    });
    const { choices } = (await answer.json()) as { choices: readonly { message: { content: string } }[] };
    expect(JSON.parse(choices[0]?.message.content ?? "")).toEqual({ city: expect.stringMatching(/^(Paris|Rome)$/) });
    for (const path of ["/docs/", "/console/"]) expect((await fetch(url + path)).status).toBe(200);
    expect(stdout).toContain("npx rhone model pull");
  } finally {
    expect(await npx("down")).toMatchObject({ code: 0 });
  }
});

test("its processes start by their names, under their guard", async (context) => {
  if (missing !== undefined) context.skip(`npm's registry is not reached: ${missing}`);
  for (const service of ["coordinator", "shard-worker", "gateway"]) {
    const { code, stdout } = await run("npx", ["--no-install", "rhone", service, "--help"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`Settings of the ${service}.`) });
  }
});

test("without an engine its install fails and names the package, and so does the first command", async (context) => {
  if (missing !== undefined) context.skip(`npm's registry is not reached: ${missing}`);
  rmSync(join(folder, "node_modules/@node-llama-cpp"), { recursive: true });
  const reason = /GGML_LIBRARY_MISSING[\s\S]*@node-llama-cpp\/\S+ is not installed/;
  const install = await run("npm", ["run", "postinstall"], { cwd: join(folder, "node_modules/rhone") });
  expect({ code: install.code, output: install.stdout + install.stderr }).toEqual({
    code: expect.any(Number),
    output: expect.stringMatching(reason),
  });
  expect(install.code).not.toBe(0);
  expect((await npx("up", "--port", "0")).stderr).toMatch(reason);
});
