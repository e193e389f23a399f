import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { openVenv } from "./venv.js";

let folder: string;
let requirements: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rhone-venv-"));
  requirements = join(folder, "requirements.txt");
  writeFileSync(requirements, "openai==1.0\n");
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "cache"));
  vi.stubEnv("PATH", join(folder, "bin"));
  mkdirSync(join(folder, "bin"));
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });
});

/** A python3 of this version, whose environments have a pip and a uv that run these lines of sh. */
function installPython(version: string, pip = "exit 0", uv = "exit 0"): void {
  const script = (path: string, lines: string) =>
    `/bin/cat >"${path}" <<'END'\n#!/bin/sh\n${lines}\nEND\n/bin/chmod +x "${path}"`;
  const made = `$3/bin`;
  const lines = [
    "#!/bin/sh",
    `if [ "$1" = -c ]; then echo ${version}; exit; fi`,
    `/bin/mkdir "${made}"`,
    script(`${made}/python`, pip),
    script(`${made}/uv`, uv),
  ];
  const path = join(folder, "bin", "python3");
  writeFileSync(path, `${lines.join("\n")}\n`);
  chmodSync(path, 0o755);
}

const open = () => openVenv(requirements);
const kept = () => readdirSync(join(folder, "cache", "rhone"));

test("without python3 it says so", async () => {
  expect(await open()).toEqual({ missing: "no python3 is installed" });
});

test("a python3 that is too old is named", async () => {
  installPython("3.9.18");
  expect(await open()).toEqual({ missing: "python3 is 3.9.18; the clients need 3.10 or later" });
});

test("an environment is made once for the same pins, and again for others", async () => {
  installPython("3.11.7");
  const first = await open();
  expect(first).toEqual({ python: expect.stringContaining(join(folder, "cache", "rhone", "python-")) });
  installPython("3.11.7", "exit 1");
  expect(await open()).toEqual(first);
  writeFileSync(requirements, "openai==1.1\n");
  expect(await open()).toMatchObject({ missing: expect.any(String) });
  expect(kept()).toHaveLength(1);
});

test("where no package can be installed, it says why and leaves nothing behind", async () => {
  installPython("3.11.7", "echo 'ERROR: No matching distribution found for uv' >&2; exit 1");
  expect(await open()).toEqual({
    missing: "no Python packages can be installed: ERROR: No matching distribution found for uv",
  });
  expect(kept()).toEqual([]);
});

test("pins that can't be installed are an error", async () => {
  installPython("3.11.7", "exit 0", "echo 'no such version: openai==1.0' >&2; exit 1");
  await expect(open()).rejects.toThrow(/no such version: openai==1\.0/);
  expect(kept()).toEqual([]);
});
