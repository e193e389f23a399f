import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { openVenv } from "./venv.js";

const REQUIREMENTS = fileURLToPath(new URL("requirements.txt", import.meta.url));

declare module "vitest" {
  export interface ProvidedContext {
    /** Where the outcome of the installation will be, as JSON: a Venv, or `{"failed": why}`. */
    pythonClients: string;
  }
}

/** Starts to install the Python clients while other tests run: the suite has minutes until it needs them. */
export function setup(project: TestProject): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "rhone-python-"));
  const outcome = join(folder, "outcome.json");
  const opened = openVenv(REQUIREMENTS)
    .catch((error: Error) => ({ failed: error.message }))
    .then((venv) => {
      writeFileSync(`${outcome}.part`, JSON.stringify(venv));
      renameSync(`${outcome}.part`, outcome);
    });
  project.provide("pythonClients", outcome);
  return async () => {
    await opened; // a run without the clients lets it end, for the next
    rmSync(folder, { recursive: true, force: true });
  };
}
