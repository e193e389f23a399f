// Runs what the chart renders without a cluster: each container of each pod as a process, in a network namespace with
// an address for each pod and names as a cluster's DNS would give them, in the order and with the probes of its
// manifest; then what monitors scrape, the pod of `helm test`, and an end by SIGTERM. The image is this clone, so build
// it first; needs root.
//   node deploy/helm/check/run-pods.mjs [VALUES]        VALUES: flags for `helm template`
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { CHART } from "./check.mjs";
import { KUBERNETES, openTools } from "./tools.mjs";

const run = promisify(execFile);
const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
const NAMESPACE = "rhone-pods";
const READY_MS = 180_000;

/** The pods that controllers would make of a workload. */
function podsOf({ kind, metadata: { name }, spec }) {
  if (kind === "Pod") return [{ name, spec }];
  if (kind !== "StatefulSet" && kind !== "Deployment") return [];
  return Array.from({ length: spec.replicas }, (_, index) => ({
    name: `${name}-${index}`,
    service: spec.serviceName,
    claims: (spec.volumeClaimTemplates ?? []).map((claim) => claim.metadata.name),
    labels: spec.template.metadata.labels,
    spec: spec.template.spec,
  }));
}

/** Names that pods are found by: their own below a service, and those of services that select them. */
function hostsOf(pods, documents) {
  const lines = pods.flatMap(({ name, service, ip }) => (service === undefined ? [] : [`${ip} ${name}.${service}`]));
  for (const { kind, metadata, spec } of documents) {
    if (kind !== "Service") continue;
    const chosen = pods.find(({ labels }) => matches(labels, spec.selector));
    if (chosen !== undefined) lines.push(`${chosen.ip} ${metadata.name}`);
  }
  return `127.0.0.1 localhost\n${lines.join("\n")}\n`;
}

/** A pod's volumes as folders, its containers as processes. */
class RunningPod {
  #pod;
  #folder;
  #secrets;
  #children = [];
  output = "";

  constructor(pod, { folder, secrets }) {
    this.#pod = pod;
    this.#folder = join(folder, pod.name);
    this.#secrets = secrets;
    for (const volume of [...pod.spec.volumes, ...(pod.claims ?? []).map((name) => ({ name }))]) this.#make(volume);
  }

  get name() {
    return this.#pod.name;
  }

  #make({ name, secret, persistentVolumeClaim }) {
    const folder = join(this.#folder, name);
    mkdirSync(this.#folder, { recursive: true });
    // A claim of models is this clone's folder of them.
    if (persistentVolumeClaim?.claimName === "models") symlinkSync(join(ROOT, "models"), folder);
    else mkdirSync(folder);
    for (const { key, path } of secret?.items ?? []) {
      const value = this.#secrets[secret.secretName][key];
      writeFileSync(join(folder, path), Buffer.from(value, "base64"), { mode: 0o440 });
    }
  }

  /** Paths in the container, and $(VARIABLES), as they are here. */
  #here(container, text) {
    const known = { POD_NAME: this.#pod.name, POD_IP: this.#pod.ip };
    const places = { "/app": ROOT };
    for (const { name, mountPath } of container.volumeMounts) places[mountPath] = join(this.#folder, name);
    // All at once: a folder here may begin as a path there does.
    const paths = new RegExp(`(?<![\\w.])(${Object.keys(places).join("|")})(?=[/\\s"']|$)`, "g");
    const named = text.replace(/\$\((\w+)\)/g, (whole, name) => known[name] ?? whole);
    return named.replace(paths, (path) => places[path]);
  }

  #environment(container) {
    const entries = (container.env ?? []).map(({ name, value, valueFrom }) => {
      if (valueFrom?.fieldRef?.fieldPath === "metadata.name") return [name, this.#pod.name];
      if (valueFrom?.fieldRef?.fieldPath === "status.podIP") return [name, this.#pod.ip];
      // All pods share the namespace: each listens on its own address.
      return [name, name === "RHONE_HOST" ? this.#pod.ip : this.#here(container, value)];
    });
    const path = `${join(this.#folder, "..", "bin")}:${process.env.PATH}`;
    return { PATH: path, HOME: this.#folder, ...Object.fromEntries(entries) };
  }

  /** The entry point of the image is `rhone`. */
  #command({ command, args = [], ...container }) {
    const words = command ?? [join(ROOT, "rhone"), ...args];
    return words.map((each) => this.#here(container, each));
  }

  #start(container) {
    const [command, ...args] = ["ip", "netns", "exec", NAMESPACE, ...this.#command(container)];
    const child = spawn(command, args, { cwd: ROOT, env: this.#environment(container), detached: true });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data) => {
        this.output += data;
      });
    }
    const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
    this.#children.push({ child, ended, name: container.name });
    return ended;
  }

  async #probe(container, { httpGet, exec }) {
    const inside = ["netns", "exec", NAMESPACE];
    if (exec !== undefined) {
      const command = exec.command.map((each) => this.#here(container, each));
      return run("ip", [...inside, ...command], { env: this.#environment(container) }).then(
        () => true,
        () => false,
      );
    }
    const { containerPort } = container.ports.find(({ name }) => name === httpGet.port);
    const url = `${httpGet.scheme.toLowerCase()}://${this.#pod.ip}:${containerPort}${httpGet.path}`;
    return run("ip", [...inside, "curl", "-skf", "--max-time", "3", url]).then(
      () => true,
      () => false,
    );
  }

  async #until(container, probe) {
    const deadline = performance.now() + READY_MS;
    while (!(await this.#probe(container, probe))) {
      const ended = this.#children.find(({ child }) => child.exitCode !== null);
      if (ended !== undefined || performance.now() > deadline) {
        const what = ended === undefined ? `${container.name} does not become ready` : `${ended.name} has ended`;
        throw new Error(`${this.name}: ${what}\n${this.output.slice(-3000)}`);
      }
      await sleep(500);
    }
  }

  /** Starts the containers in order; resolves when each has started. */
  async start() {
    for (const container of this.#pod.spec.initContainers ?? []) {
      const ended = this.#start(container);
      if (container.restartPolicy === "Always") await this.#until(container, container.startupProbe);
      else if ((await ended) !== 0) throw new Error(`${this.name}: ${container.name} failed\n${this.output}`);
    }
    for (const container of this.#pod.spec.containers) {
      void this.#start(container);
      if (container.startupProbe !== undefined) await this.#until(container, container.startupProbe);
    }
  }

  async ready() {
    for (const container of this.#pod.spec.containers) await this.#until(container, container.readinessProbe);
  }

  /** Of its last container, which is its own. */
  completed() {
    return this.#children.at(-1).ended;
  }

  /** SIGTERM, as kubelet sends it: containers first, those that started before them afterwards. Milliseconds. */
  async end() {
    const began = performance.now();
    for (const { child, ended } of this.#children.toReversed()) {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      await ended;
    }
    return Math.round(performance.now() - began);
  }

  kill() {
    for (const { child } of this.#children) {
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, "SIGKILL");
    }
  }
}

const matches = (labels = {}, selector) => Object.entries(selector).every(([key, value]) => labels[key] === value);

/** The number of series that Prometheus gets of each pod that a PodMonitor selects, as it would ask. */
async function scrape({ spec: { selector, podMetricsEndpoints } }, pods, { folder, secrets }) {
  const [{ port, path, scheme, authorization, tlsConfig }] = podMetricsEndpoints;
  const textOf = ({ name, key }) => Buffer.from(secrets[name][key], "base64").toString();
  const flags = [];
  if (authorization !== undefined) {
    flags.push("--header", `authorization: Bearer ${textOf(authorization.credentials)}`);
  }
  if (tlsConfig !== undefined) {
    writeFileSync(join(folder, "scrape-ca.crt"), textOf(tlsConfig.ca.secret));
    flags.push("--cacert", join(folder, "scrape-ca.crt"));
  }
  for (const { name, ip, spec } of pods.filter(({ labels }) => matches(labels, selector.matchLabels))) {
    const { containerPort } = spec.containers.flatMap(({ ports }) => ports).find((each) => each.name === port);
    const url = `${scheme ?? "http"}://${ip}:${containerPort}${path}`;
    const { stdout } = await run("ip", ["netns", "exec", NAMESPACE, "curl", "-sSf", ...flags, url]);
    console.log(`${name}: ${stdout.split("\n").filter((line) => /^[a-z]/.test(line)).length} series scraped`);
  }
}

async function main(flags) {
  const tools = await openTools();
  if ("missing" in tools) throw new Error(tools.missing);
  const set = ["--set", "gateway.service.port=8080,monitoring.monitors.enabled=true"];
  const helm = ["template", "r", CHART, "--kube-version", KUBERNETES, ...set, ...flags];
  const { stdout } = await run(join(tools.bin, "helm"), helm, { maxBuffer: 2 ** 26 });
  const documents = parseAllDocuments(stdout)
    .map((each) => each.toJS())
    .filter((each) => each !== null);
  const secrets = Object.fromEntries(
    documents.filter(({ kind }) => kind === "Secret").map(({ metadata, data }) => [metadata.name, data]),
  );
  const pods = documents.flatMap(podsOf).map((pod, index) => ({ ...pod, ip: `127.0.1.${index + 1}` }));
  const folder = mkdtempSync(join(tmpdir(), "rhone-pods-"));
  mkdirSync(join(folder, "bin"));
  symlinkSync(join(ROOT, "rhone"), join(folder, "bin", "rhone"));
  mkdirSync(`/etc/netns/${NAMESPACE}`, { recursive: true });
  writeFileSync(`/etc/netns/${NAMESPACE}/hosts`, hostsOf(pods, documents));
  await run("ip", ["netns", "add", NAMESPACE]);
  await run("ip", ["-n", NAMESPACE, "link", "set", "lo", "up"]);
  const running = [];
  try {
    const open = (pod) => {
      const opened = new RunningPod(pod, { folder, secrets });
      running.push(opened);
      return opened;
    };
    const test = pods.find(({ name }) => name.endsWith("-test"));
    const cluster = pods.filter((pod) => pod !== test).map(open);
    const began = performance.now();
    const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
    const tell = (pod, state) => console.log(`${seconds()}: ${pod.name} ${state}`);
    await Promise.all(cluster.map((pod) => pod.start().then(() => tell(pod, "has started"))));
    await Promise.all(cluster.map((pod) => pod.ready().then(() => tell(pod, "is ready"))));
    for (const document of documents)
      if (document.kind === "PodMonitor") await scrape(document, pods, { folder, secrets });
    const tested = open(test);
    await tested.start();
    const code = await tested.completed();
    console.log(`${seconds()}: ${tested.name} ended with ${code}:\n${tested.output.trim()}`);
    if (code !== 0) process.exitCode = 1;
    for (const pod of cluster) console.log(`${pod.name} ended ${await pod.end()} ms after SIGTERM`);
  } finally {
    for (const pod of running) pod.kill();
    await run("ip", ["netns", "delete", NAMESPACE]);
    rmSync(`/etc/netns/${NAMESPACE}`, { recursive: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

await main(process.argv.slice(2)).catch((error) => {
  console.error(`${error.stdout ?? ""}${error.stderr ?? error.stack}`);
  process.exitCode = 1;
});
