const DIST = new URL("../../dist/", import.meta.url).href;

/**
 * One line of code that has what built files of the package export as `common`: threads and processes run compiled
 * files. All of the package takes half a second to import, most of it gRPC and Redis, which hardly any test needs.
 */
export function importBuilt(files: readonly string[]): string {
  const imports = files.map((file, i) => `import * as part${i} from ${JSON.stringify(`${DIST}${file}.js`)};`);
  const parts = files.map((_, i) => `...part${i}`).join(", ");
  return `${imports.join(" ")} const common = { ${parts} };`;
}

/** What a service needs that listens nowhere. */
export const SERVICE_FILES = [
  "config/schemas",
  "errors/rhone-error",
  "lifecycle/launcher",
  "lifecycle/run-service",
  "lifecycle/service-main",
  "observability/logger",
  "observability/process-metrics",
];
