// Applies all that the chart renders to a real API server, in namespaces that enforce restricted Pod Security, and has
// it admit each pod; then installs and upgrades the chart with Helm. Not part of the suite: the server is built first.
//   node deploy/helm/check/apply.mjs
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { openApiServer } from "./api-server.mjs";
import { CHART, chartChecks, MODES, VALUES } from "./check.mjs";
import { leaderWorkerSet } from "./schemas.mjs";
import { openTools } from "./tools.mjs";

const run = promisify(execFile);
const RESTRICTED = ["enforce", "warn", "audit"].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`);

const documentsOf = (text) =>
  parseAllDocuments(text)
    .map((each) => each.toJS())
    .filter((each) => each !== null);

/** As JSON: kubectl reads YAML by other rules than the library here. */
const listOf = (items) => JSON.stringify({ apiVersion: "v1", kind: "List", items });

/** A pod as the controllers of its workload would make it. */
function podOf({ metadata, spec }, name, claims = []) {
  const volumes = claims.map((claim) => ({
    name: claim.metadata.name,
    persistentVolumeClaim: { claimName: `${claim.metadata.name}-${name}` },
  }));
  const all = { ...spec, volumes: [...(spec.volumes ?? []), ...volumes] };
  return { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name }, spec: all };
}

/** The pods of all workloads, one of each kind. */
function podsOf(documents) {
  return documents.flatMap(({ kind, metadata: { name }, spec }) => {
    if (kind === "Deployment" || kind === "StatefulSet") {
      return [podOf(spec.template, `${name}-0`, spec.volumeClaimTemplates)];
    }
    if (kind !== "LeaderWorkerSet") return [];
    const { leaderTemplate, workerTemplate, volumeClaimTemplates } = spec.leaderWorkerTemplate;
    return [
      podOf(leaderTemplate, `${name}-0`, volumeClaimTemplates),
      podOf(workerTemplate, `${name}-0-1`, volumeClaimTemplates),
    ];
  });
}

/** Kubernetes' own schema of a name, as a custom resource may have it: without references and remarks. */
function structural(schemas) {
  const resolve = (node) => {
    if (Array.isArray(node)) return node.map(resolve);
    if (node === null || typeof node !== "object") return node;
    const { allOf, $ref, description: _, ...rest } = node;
    const [reference = $ref] = (allOf ?? []).map((each) => each.$ref);
    const named = reference === undefined ? {} : resolve(schemas[reference.split("/").at(-1)]);
    // These only say that a field of Go has a value.
    const isNoChoice = rest.default === "" && "enum" in { ...named, ...rest };
    if (isNoChoice || JSON.stringify(rest.default) === "{}") delete rest.default;
    for (const key of Object.keys(rest)) if (/^x-kubernetes-(patch|group|unions)/.test(key)) delete rest[key];
    const isNumberOrText = rest.format === "int-or-string" || "oneOf" in rest;
    if (isNumberOrText) return { "x-kubernetes-int-or-string": true };
    return { ...named, ...Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, resolve(value)])) };
  };
  return (name) => resolve(schemas[name]);
}

/** @param {{ bin: string, server: Awaited<ReturnType<typeof openApiServer>> }} options */
function clients({ bin, server }) {
  const call = async (name, flags, args, input) => {
    const running = run(join(bin, name), [...args, ...flags], { maxBuffer: 2 ** 26 });
    if (input !== undefined) running.child.stdin.end(input);
    const { stdout, stderr } = await running;
    return `${stdout}${stderr}`.trim();
  };
  return {
    kubectl: (args, input) => call("kubectl", server.kubectl, args, input),
    helm: (...args) => call("helm", server.helm, args),
  };
}

async function defineResources(kubectl, definitions) {
  const schemas = {};
  for (const path of ["api/v1", "apis/apps/v1"]) {
    const answer = JSON.parse(await kubectl(["get", "--raw", `/openapi/v3/${path}`]));
    Object.assign(schemas, answer.components.schemas);
  }
  const lws = JSON.stringify(leaderWorkerSet(structural(schemas)));
  const ours = await kubectl(["apply", "--server-side", "--validate=false", "--filename", "-"], lws);
  const others = await kubectl(["apply", "--server-side", "--filename", definitions]);
  await kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
  console.log(`${ours}\n${others}`);
}

async function newNamespace(kubectl, name) {
  await kubectl(["create", "namespace", name]);
  await kubectl(["label", "namespace", name, ...RESTRICTED]);
  await kubectl(["create", "serviceaccount", "default", "--namespace", name]); // a controller's work
}

async function refuseWhatIsNotRestricted(kubectl) {
  await newNamespace(kubectl, "control");
  const container = { name: "a", image: "a" };
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "a" }, spec: { containers: [container] } };
  const refusal = await kubectl(["create", "--namespace", "control", "--filename", "-"], JSON.stringify(pod)).then(
    () => null,
    (error) => error.stderr,
  );
  if (!refusal?.includes("violates PodSecurity")) throw new Error(`an unrestricted pod was admitted: ${refusal}`);
  console.log(`control: ${refusal.trim()}`);
}

async function applyRendered({ kubectl, checks }, mode, values) {
  const namespace = `${mode}-${values}`;
  await newNamespace(kubectl, namespace);
  const documents = documentsOf(await checks.render(mode, values)).map((document) => ({
    ...document,
    metadata: { ...document.metadata, namespace },
  }));
  const tests = documents.filter(({ kind }) => kind === "Pod");
  const rest = documents.filter(({ kind }) => kind !== "Pod");
  const apply = ["apply", "--server-side", "--validate=strict", "--namespace", namespace, "--filename", "-"];
  const applied = await kubectl(apply, listOf(rest));
  const pods = [...podsOf(rest), ...tests];
  const created = await kubectl(
    ["create", "--validate=strict", "--namespace", namespace, "--filename", "-"],
    listOf(pods),
  );
  const output = `${applied}\n${created}`;
  console.log(`\n== ${mode}, ${values}: ${rest.length} objects, ${pods.length} pods\n${output}`);
  if (/warning/i.test(output)) throw new Error("the API server warned");
}

/** What the chart made at first is what an upgrade finds. */
async function installAndUpgrade({ kubectl, helm }) {
  await newNamespace(kubectl, "installed");
  const flags = ["r", CHART, "--namespace", "installed", "--set", "mode=leaderworkerset"];
  const secrets = () =>
    kubectl([
      "get",
      "secrets",
      "--namespace",
      "installed",
      "--field-selector",
      "type!=helm.sh/release.v1",
      "--output",
      "jsonpath={.items[*].data}",
    ]);
  console.log(`\n== helm install and upgrade\n${(await helm("install", ...flags)).split("\n").slice(0, 6).join("\n")}`);
  const first = await secrets();
  console.log((await helm("upgrade", ...flags, "--set", "pipelines.workers=3")).split("\n").slice(0, 2).join("\n"));
  if ((await secrets()) !== first) throw new Error("an upgrade replaced the secrets");
  console.log(`Secrets are as they were: ${first.length} characters`);
  console.log(await helm("uninstall", "r", "--namespace", "installed"));
  console.log(await kubectl(["get", "secrets", "--namespace", "installed", "--output", "name"]));
}

const tools = await openTools();
if ("missing" in tools) throw new Error(tools.missing);
const server = await openApiServer();
try {
  const checks = chartChecks(tools);
  const { kubectl, helm } = clients({ bin: tools.bin, server });
  console.log(`kube-apiserver ${server.version}`);
  await defineResources(kubectl, tools.definitions);
  const priority = {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name: "inference" },
    value: 1,
  };
  await kubectl(["create", "--filename", "-"], JSON.stringify(priority));
  await refuseWhatIsNotRestricted(kubectl);
  for (const mode of MODES) for (const values of VALUES) await applyRendered({ kubectl, checks }, mode, values);
  await installAndUpgrade({ kubectl, helm });
} catch (error) {
  console.error(`${error.stdout ?? ""}${error.stderr ?? error.stack}`);
  process.exitCode = 1;
} finally {
  await server.close();
}
