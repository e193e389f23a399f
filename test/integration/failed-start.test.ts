import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { stopCluster } from "../../cli/dist/cluster/stop-cluster.js";
import { dataDirAt } from "../../cli/dist/data-dir.js";
import { rhone } from "../cluster/start-cluster.js";

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));

function newFolder(name = "rhone-system-"): string {
  const folder = mkdtempSync(join(tmpdir(), name));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe("a cluster that can't come up says why and leaves nothing", () => {
  async function up(flags: readonly string[]) {
    const dataDir = newFolder();
    const { code, stdout, stderr } = await rhone(["up", "--detach", "--port", "0", "--data-dir", dataDir, ...flags]);
    return { code, output: stdout + stderr, isLeft: (await stopCluster(dataDirAt(dataDir))) !== "not-running" };
  }

  test("a truncated GGUF", async () => {
    const model = join(newFolder(), "cut.gguf");
    writeFileSync(model, readFileSync(BREEZE).subarray(0, 3_000_000));
    const { code, output, isLeft } = await up(["--model", model]);
    expect(output).toMatch(/GGUF_TRUNCATED[\s\S]*only 3000000/);
    expect({ code, isLeft }).toEqual({ code: 1, isLeft: false });
  });

  test("a port in use", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const { code, output, isLeft } = await up(["--port", String(port)]);
    expect(output).toMatch(new RegExp(`PORT_IN_USE[\\s\\S]*${port}`));
    expect({ code, isLeft }).toEqual({ code: 1, isLeft: false });
  });

  test("a bad variable of a service, before anything starts", async () => {
    const { code, stdout, stderr } = await rhone(["up", "--port", "0", "--data-dir", newFolder()], {
      env: { RHONE_MAX_QUEUED: "-1" },
    });
    expect(stderr).toMatch(/INVALID_CONFIG\n.*\n +RHONE_MAX_QUEUED=-1 is less than 1\./);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  test("workers that can't hold the model", async () => {
    const { code, output, isLeft } = await up(["--memory", "1000000", "--workers", "2"]);
    expect(output).toMatch(/NOT_ENOUGH_MEMORY[\s\S]* it has 1(\.0+)? MB.* --memory/);
    expect({ code, isLeft }).toEqual({ code: 1, isLeft: false });
  });
});

test("a command that a message suggests works when it is pasted, for the same data directory", async () => {
  const folder = newFolder("rhone system "); // with blanks
  const { stderr } = await rhone(["status", "--data-dir", folder], { env: { RHONE_COMMAND: "" } });
  const [, start = ""] = /Start a cluster with: (.*)/.exec(stderr) ?? [];
  const down = start.replace(/(\S+) up /, "$1 down ");
  const { stderr: pasted } = spawnSync("sh", ["-c", down], { encoding: "utf8" });
  expect(pasted).toContain(`No cluster is running in ${folder}.`);
});
