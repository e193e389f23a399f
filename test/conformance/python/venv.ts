import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

/** The interpreter of a virtual environment, or why there can be none on this machine. */
export type Venv = { readonly python: string } | { readonly missing: string };

/** Installs 150 packages in a few seconds, which takes pip more than a minute. */
const UV = "uv==0.13.8";
const OLDEST_PYTHON = [3, 10] as const;
const INSTALL_MS = 240_000;

const run = promisify(execFile);

/**
 * A virtual environment with exactly the packages of `requirements`, a file of pins with all that they depend on. It is
 * kept in ~/.cache/rhone under a hash of the pins, so it is installed once per machine. Throws when the registry of
 * Python packages answers, but not with these.
 */
export async function openVenv(requirements: string): Promise<Venv> {
  const version = await pythonVersion();
  if (version === null) return { missing: "no python3 is installed" };
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor < OLDEST_PYTHON[1])) {
    return { missing: `python3 is ${version}; the clients need ${OLDEST_PYTHON.join(".")} or later` };
  }
  const pins = readFileSync(requirements, "utf8");
  const hash = createHash("sha256").update(`${version}\n${UV}\n${pins}`).digest("hex").slice(0, 16);
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rhone", `python-${hash}`);
  const python = join(folder, "bin", "python");
  return existsSync(folder) ? { python } : await install(requirements, folder).then((why) => why ?? { python });
}

/** Builds the environment beside its place and moves it there, so that it is whole or absent. Null when it is there. */
async function install(requirements: string, folder: string): Promise<Venv | null> {
  mkdirSync(dirname(folder), { recursive: true });
  const draft = mkdtempSync(`${folder}-`);
  const python = join(draft, "bin", "python");
  const options = { timeout: INSTALL_MS };
  try {
    const made = await run("python3", ["-m", "venv", draft], options).catch(whyNot);
    if (typeof made === "string") return { missing: `python3 -m venv fails: ${made}` };
    const pip = ["-m", "pip", "install", "--quiet", "--no-compile", "--retries", "1", "--timeout", "15", UV];
    const reached = await run(python, pip, options).catch(whyNot);
    if (typeof reached === "string") return { missing: `no Python packages can be installed: ${reached}` };
    await run(
      join(draft, "bin", "uv"),
      ["pip", "install", "--quiet", "--no-cache", "--no-deps", "--python", python, "-r", requirements],
      options,
    );
    if (!existsSync(folder)) renameSync(draft, folder);
    return null;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** "3.11.7", or null without python3. */
async function pythonVersion(): Promise<string | null> {
  const asked = run("python3", ["-c", "import platform; print(platform.python_version())"]);
  return asked.then(({ stdout }) => stdout.trim()).catch(() => null);
}

/** The last line that the command printed before it failed. */
function whyNot(error: Error & { readonly stderr?: string }): string {
  return error.stderr?.trim().split("\n").at(-1) || error.message;
}
