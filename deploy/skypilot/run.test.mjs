import { spawn } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";

const HERE = dirname(fileURLToPath(import.meta.url));

/** Notes how it is called, and refuses the first secret. */
const RHONE = `#!/bin/sh
{ echo "called: $*"; env; } >>"$TOLD"
case $1 in
  up) exec /bin/sleep 60 ;;
  keys)
    if [ -e "$TOLD.tried" ]; then echo "The key is made." >&2; exit; fi
    touch "$TOLD.tried"
    echo "That is no secret of a key." >&2
    exit 1
    ;;
esac
`;

/** Runs the script in a tree with another `rhone`, as SkyPilot does on a machine. */
function onMachine(rank) {
  const tree = mkdtempSync(join(tmpdir(), "rhone-sky-"));
  onTestFinished(() => rmSync(tree, { recursive: true, force: true }));
  mkdirSync(join(tree, "deploy/skypilot"), { recursive: true });
  for (const name of ["run.sh", "node.sh"]) cpSync(join(HERE, name), join(tree, "deploy/skypilot", name));
  const executable = (path, text) => {
    writeFileSync(join(tree, path), text);
    chmodSync(join(tree, path), 0o755);
  };
  executable("rhone", RHONE);
  mkdirSync(join(tree, "bin"));
  executable("bin/sleep", "#!/bin/sh\n"); // between two tries
  const told = join(tree, "told");
  const env = {
    ...{ PATH: `${join(tree, "bin")}:${process.env.PATH}`, HOME: tree, RHONE_HOME: join(tree, "home"), TOLD: told },
    ...{ SKYPILOT_NODE_IPS: "10.0.0.1\n10.0.0.2", SKYPILOT_NODE_RANK: String(rank), RHONE_MODEL: "breeze" },
    ...{ RHONE_AUTHORITY: Buffer.from("the authority's key").toString("base64"), RHONE_API_KEY: "rhone_sk_1" },
  };
  const script = spawn("bash", [join(tree, "deploy/skypilot/run.sh")], { env, stdio: ["ignore", "pipe", "pipe"] });
  const run = { home: env.RHONE_HOME, script, output: "", told: () => readFileSync(told, "utf8") };
  for (const stream of [script.stdout, script.stderr])
    stream.on("data", (text) => {
      run.output += text;
    });
  const ended = new Promise((resolve) => script.once("close", resolve));
  return { run, ended };
}

it("says why the first machine's key is not made, goes on, and hands no secret to its processes", async () => {
  const { run, ended } = onMachine(0);
  await expect.poll(() => run.output, { timeout: 20_000 }).toContain("The key is made.");
  expect(run.output).toContain("That is no secret of a key.");
  run.script.kill("SIGTERM");
  await ended;
  expect(run.told()).toMatch(/called: up --listen 10\.0\.0\.1 /);
  expect(run.told()).not.toMatch(/RHONE_AUTHORITY|RHONE_API_KEY/);
  expect(readFileSync(join(run.home, "authority/ca-key.pem"), "utf8")).toBe("the authority's key");
});

it("leaves the authority's key on no other machine, nor in its processes", async () => {
  const { run, ended } = onMachine(1);
  expect([await ended, run.output]).toEqual([0, ""]);
  expect(run.told()).toMatch(/called: certificate .* --name node-1 /);
  expect(run.told()).toMatch(/called: shard-worker --coordinator 10\.0\.0\.1:7110 /);
  expect(run.told()).not.toMatch(/RHONE_AUTHORITY|RHONE_API_KEY/);
  expect(existsSync(join(run.home, "sky/authority.pem"))).toBe(false);
});
