// What certificates cost: decode tokens/s of two clusters of simulated stages on this machine, one that shares a secret
// and one with certificates, measured in turn in one run. Usage: mtls-cost.mjs [--stage-ms 5] [--row-bytes 8192]
// [--streams 8] [--workers 2] [--tokens 400] [--turns 8]. Prints each turn and the median ratio.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Authority, identityFiles } from "../packages/identity/dist/index.js";
import { BREEZE, median, Services } from "./services.mjs";

const OPTIONS = { "stage-ms": "5", "row-bytes": "8192", streams: "8", workers: "2", tokens: "400", turns: "8" };
const { values } = parseArgs({
  options: Object.fromEntries(
    Object.entries(OPTIONS).map(([name, value]) => [name, { type: "string", default: value }]),
  ),
});
const [streams, workers, tokens, turns] = ["streams", "workers", "tokens", "turns"].map((name) => Number(values[name]));
const services = new Services();

/** A whole cluster; `envOf`: the variables by which a process of that role and name is known. Returns its URL. */
async function startCluster(name, envOf) {
  const redis = await services.redis(name);
  const served = ["--model-path", BREEZE, "--model-name", "breeze", "--port", "0"];
  const flags = [...served, "--ops-port", "0", "--workers", String(workers), "--simulated", "true"];
  const coordinator = { ...redis, ...(await envOf("coordinator", "c")) };
  const { grpc } = await services.start("coordinator", flags, coordinator);
  const simulate = `stage-ms=${values["stage-ms"]},row-bytes=${values["row-bytes"]}`;
  for (let index = 0; index < workers; index++) {
    const own = ["--coordinator", grpc, "--simulate", simulate, "--threads", "1", "--memory", "1000000000"];
    await services.start("shard-worker", own, await envOf("worker", `w${index}`));
  }
  const storage = join(services.folder, `${name}-storage`);
  const { http } = await services.start("gateway", [...served, "--storage", storage], redis);
  return services.ready(`http://${http}`);
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

try {
  const authority = await Authority.open(join(services.folder, "authority"));
  const certified = async (role, name) => {
    const files = identityFiles(join(services.folder, "identity"), role, name);
    await authority.issueHere(files, { role, name, hosts: ["127.0.0.1"] });
    return { RHONE_TLS_CA: files.ca, RHONE_TLS_CERT: files.cert, RHONE_TLS_KEY: files.key };
  };
  const plain = await startCluster("plain", async () => ({ RHONE_CLUSTER_SECRET_FILE: services.secretFile }));
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
  await services.stop();
}
