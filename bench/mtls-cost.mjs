// What certificates cost: decode tokens/s of two clusters of simulated stages on this machine, one that shares a secret
// and one with certificates, measured in turn in one run. Usage: mtls-cost.mjs [--stage-ms 5] [--row-bytes 8192]
// [--streams 8] [--workers 2] [--tokens 400] [--turns 8]. Prints each turn and the median ratio.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Authority, identityFiles } from "../packages/identity/dist/index.js";

const OPTIONS = { "stage-ms": "5", "row-bytes": "8192", streams: "8", workers: "2", tokens: "400", turns: "8" };
const { values } = parseArgs({
  options: Object.fromEntries(
    Object.entries(OPTIONS).map(([name, value]) => [name, { type: "string", default: value }]),
  ),
});
const [streams, workers, tokens, turns] = ["streams", "workers", "tokens", "turns"].map((name) => Number(values[name]));
const model = fileURLToPath(new URL("../models/breeze-q8_0.gguf", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "rhone-mtls-"));
const children = [];

/** Starts a process of the cluster; resolves with the addresses in its log. */
async function start(file, flags, env) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`../${file}`, import.meta.url)), ...flags], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const entry = line.startsWith("{") ? JSON.parse(line) : {};
    if (entry.msg !== "listening") continue;
    child.stdout.resume();
    return entry.addresses ?? { http: entry.http };
  }
  throw new Error(`${file} ended`);
}

const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

/** A whole cluster; `envOf`: the variables by which a process of that role and name is known. Returns its URL. */
async function startCluster(name, envOf) {
  const port = await freePort();
  const passwordFile = join(folder, `${name}-redis`);
  writeFileSync(passwordFile, randomBytes(24).toString("hex"), { mode: 0o600 });
  const own = [
    "--data-folder",
    folder,
    "--run-folder",
    folder,
    "--port",
    String(port),
    "--password-file",
    passwordFile,
  ];
  await start("cli/dist/redis/redis-host.bundle.js", own, {});
  const redis = { REDIS_URL: `redis://127.0.0.1:${port}`, RHONE_REDIS_PASSWORD_FILE: passwordFile };
  const served = ["--model-path", model, "--model-name", "breeze", "--port", "0"];
  const flags = [...served, "--ops-port", "0", "--workers", String(workers), "--simulated", "true"];
  const coordinator = { ...redis, ...(await envOf("coordinator", "c")) };
  const { grpc } = await start("services/coordinator/dist/main.bundle.js", flags, coordinator);
  const simulate = `stage-ms=${values["stage-ms"]},row-bytes=${values["row-bytes"]}`;
  for (let index = 0; index < workers; index++) {
    const own = ["--coordinator", grpc, "--simulate", simulate, "--threads", "1", "--memory", "1000000000"];
    await start("services/shard-worker/dist/main.bundle.js", own, await envOf("worker", `w${index}`));
  }
  const { http } = await start(
    "services/gateway/dist/main.bundle.js",
    [...served, "--storage", join(folder, `${name}-storage`)],
    redis,
  );
  const url = `http://${http}`;
  while (!(await fetch(`${url}/ready`).then(({ ok }) => ok)).valueOf()) await new Promise((go) => setTimeout(go, 100));
  return url;
}

/** Tokens per second of all streams together, from the first one's beginning to the last one's end. */
async function measure(url) {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ prompt: "a", max_tokens: tokens, ignore_eos: true, temperature: 0 });
  const startedAt = performance.now();
  const answers = await Promise.all(
    Array.from({ length: streams }, async () => {
      const response = await fetch(`${url}/v1/completions`, { method: "POST", headers, body });
      return (await response.json()).usage.completion_tokens;
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  return answers.reduce((sum, count) => sum + count, 0) / seconds;
}

const median = (numbers) => {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};

try {
  const secretFile = join(folder, "cluster-secret");
  writeFileSync(secretFile, randomBytes(32).toString("base64url"), { mode: 0o600 });
  const authority = await Authority.open(join(folder, "authority"));
  const certified = async (role, name) => {
    const files = identityFiles(join(folder, "identity"), role, name);
    await authority.issueHere(files, { role, name, hosts: ["127.0.0.1"] });
    return { RHONE_TLS_CA: files.ca, RHONE_TLS_CERT: files.cert, RHONE_TLS_KEY: files.key };
  };
  const plain = await startCluster("plain", async () => ({ RHONE_CLUSTER_SECRET_FILE: secretFile }));
  const secure = await startCluster("secure", certified);
  for (const url of [plain, secure]) await measure(url); // warm
  const ratios = [];
  for (let turn = 0; turn < turns; turn++) {
    const order = turn % 2 === 0 ? [plain, secure] : [secure, plain];
    const rates = new Map();
    for (const url of order) rates.set(url, await measure(url));
    const [without, withCertificates] = [rates.get(plain), rates.get(secure)];
    ratios.push(withCertificates / without);
    const cells = [without.toFixed(1), withCertificates.toFixed(1), (withCertificates / without).toFixed(3)];
    console.log(`turn ${turn + 1}: secret ${cells[0]} tokens/s, certificates ${cells[1]}, ratio ${cells[2]}`);
  }
  console.log(`${JSON.stringify(values)}: median ratio ${median(ratios).toFixed(3)}`);
} finally {
  const ends = children.map((child) => once(child, "exit"));
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(ends);
  rmSync(folder, { recursive: true, force: true });
}
