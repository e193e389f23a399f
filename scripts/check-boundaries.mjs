// Who may import whom. Gateway knows text, coordinator knows sequences, shard-worker knows tensors; no service imports another.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const PACKAGES = ["@rhone/proto", "@rhone/common", "@rhone/ggml", "@rhone/model", "@rhone/planner", "@rhone/grammar"];
const ALLOWED = {
  "packages/common": ["@rhone/proto"],
  "packages/ggml": ["@rhone/common"],
  "packages/model": ["@rhone/common", "@rhone/ggml"],
  "packages/planner": ["@rhone/common"],
  "packages/grammar": ["@rhone/common"],
  "packages/client": ["@rhone/common"],
  "packages/bench": ["@rhone/client", "@rhone/common", "@rhone/ggml"],
  "services/gateway": PACKAGES,
  "services/coordinator": PACKAGES,
  "services/shard-worker": [...PACKAGES, "@rhone/bench"],
};

const problems = [];
for (const [folder, allowed] of Object.entries(ALLOWED)) {
  const files = readdirSync(join(root, folder, "src"), { recursive: true }).filter((name) => name.endsWith(".ts"));
  for (const file of files) {
    const path = join(root, folder, "src", file);
    for (const [, imported] of readFileSync(path, "utf8").matchAll(/from "(@rhone\/[\w-]+)/g)) {
      if (!allowed.includes(imported)) problems.push(`${relative(root, path)} imports ${imported}`);
    }
  }
}
if (problems.length > 0) {
  console.error(`Imports across a boundary:\n  ${problems.join("\n  ")}`);
  process.exit(1);
}
