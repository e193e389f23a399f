// A real API server of Kubernetes on this machine's loopback, with etcd and nothing else: no kubelet, so pods are
// admitted and never run. It is built once from Kubernetes' Go modules, which takes ten minutes of two cores.
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

const VERSION = "1.37.2";
/** Modules of Kubernetes' own repository, whose versions go with it. */
const STAGING =
  "api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap " +
  "code-generator component-base component-helpers controller-manager cri-api cri-client cri-streaming csi- " +
  "translation-lib dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator kube-controller- " +
  "manager kube-proxy kube-scheduler kubectl kubelet metrics mount-utils pod-security-admission sample- " +
  "apiserver streaming";
const READY_MS = 120_000;
const TOKEN = "0123456789abcdef0123456789abcdef";

async function buildServer() {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rhone");
  const binary = join(cache, `kube-apiserver-${VERSION}`);
  if (existsSync(binary)) return binary;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(`${binary}-`);
  try {
    const staging = `v0${VERSION.slice(1)}`;
    const replaced = STAGING.split(" ").map((name) => `  k8s.io/${name} => k8s.io/${name} ${staging}`);
    const required = `require k8s.io/kubernetes v${VERSION}`;
    writeFileSync(
      join(folder, "go.mod"),
      `module rhone.local/server\ngo 1.26.0\n${required}\nreplace (\n${replaced.join("\n")}\n)\n`,
    );
    const imported = 'import _ "k8s.io/kubernetes/cmd/kube-apiserver"';
    writeFileSync(join(folder, "tools.go"), `//go:build tools\npackage server\n${imported}\n`);
    const built = join(folder, "kube-apiserver");
    const [major, minor] = VERSION.split(".");
    // What it says it is: Helm and kubectl ask.
    const told = { gitVersion: `v${VERSION}`, gitMajor: major, gitMinor: minor };
    const flags = Object.entries(told).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
    const command = ["go", "build", "-ldflags", flags.join(" "), "-o", built, "k8s.io/kubernetes/cmd/kube-apiserver"];
    await run("nice", command, {
      cwd: folder,
      env: { ...process.env, GOFLAGS: "-mod=mod" },
      maxBuffer: 2 ** 26,
    });
    renameSync(built, binary);
    return binary;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether the server has finished its start. */
const isReady = (port) =>
  new Promise((resolve) => {
    const options = { rejectUnauthorized: false, headers: { authorization: `Bearer ${TOKEN}` } };
    get(`https://127.0.0.1:${port}/readyz`, options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on("error", () => resolve(false));
  });

/**
 * Starts both. `kubectl` and `helm` get the flags by which they reach it; close it.
 * Throws when etcd is not installed (Debian: etcd-server), or when the server is not ready within two minutes.
 */
export async function openApiServer() {
  await run("etcd", ["--version"]).catch(() => {
    throw new Error("etcd is not installed; on Debian: apt-get install etcd-server");
  });
  const binary = await buildServer();
  const folder = mkdtempSync(join(tmpdir(), "rhone-kubernetes-"));
  const [client, peer, secure] = await Promise.all([freePort(), freePort(), freePort()]);
  const [clientUrl, peerUrl] = [client, peer].map((port) => `http://127.0.0.1:${port}`);
  const key = join(folder, "accounts.key");
  await run("openssl", ["genrsa", "-out", key, "2048"]);
  writeFileSync(join(folder, "tokens.csv"), `${TOKEN},admin,admin,system:masters\n`);
  const output = [];
  const children = [];
  const start = (command, args) => {
    const child = spawn(command, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => output.push(String(data)));
    children.push(child);
  };
  const close = async () => {
    for (const child of children.reverse()) {
      if (child.exitCode !== null) continue;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  start("etcd", [
    ...["--data-dir", join(folder, "etcd"), "--listen-client-urls", clientUrl, "--advertise-client-urls", clientUrl],
    ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
    ...["--initial-cluster", `default=${peerUrl}`],
  ]);
  start(binary, [
    ...[`--etcd-servers=${clientUrl}`, "--bind-address=127.0.0.1", `--secure-port=${secure}`, `--cert-dir=${folder}`],
    ...[`--token-auth-file=${join(folder, "tokens.csv")}`, "--authorization-mode=RBAC"],
    ...["--service-account-issuer=https://127.0.0.1", `--service-account-key-file=${key}`],
    ...[`--service-account-signing-key-file=${key}`, "--service-cluster-ip-range=10.96.0.0/16"],
  ]);
  const deadline = performance.now() + READY_MS;
  while (!(await isReady(secure))) {
    if (performance.now() > deadline || children.some(({ exitCode }) => exitCode !== null)) {
      const log = output.join("").slice(-4000);
      await close();
      throw new Error(`the API server did not become ready:\n${log}`);
    }
    await sleep(500);
  }
  const url = `https://127.0.0.1:${secure}`;
  return {
    version: VERSION,
    kubectl: [`--server=${url}`, `--token=${TOKEN}`, "--insecure-skip-tls-verify", `--cache-dir=${folder}/cache`],
    helm: [`--kube-apiserver=${url}`, `--kube-token=${TOKEN}`, "--kube-insecure-skip-tls-verify"],
    close,
  };
}
