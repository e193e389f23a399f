import { execFileSync } from "node:child_process";
import { ROOT } from "./bundle-entry.mjs";

/** llama.cpp with ggml, inside the packages of the engine by these versions; npm knows only the packages. */
const INSIDE = { "3.22.1": "v0.5.0", "3.21.1": "v0.4.0" };

/** In CycloneDX's form: the packages that Rhone is made of, from package-lock.json, and the native code inside them. */
export function billOfMaterials() {
  const args = ["sbom", "--omit", "dev", "--sbom-format", "cyclonedx", "--package-lock-only"];
  const bill = JSON.parse(execFileSync("npm", args, { cwd: ROOT, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }));
  bill.metadata.component.name = "rhone"; // npm names it after its folder
  for (const component of bill.components.filter(({ purl }) => purl.includes("node-llama-cpp/"))) {
    const version = INSIDE[component.version];
    if (version === undefined)
      throw new Error(`Which llama.cpp is in ${component.purl}? Add it to ${import.meta.url}.`);
    component.components = [
      {
        type: "library",
        "bom-ref": `llama.cpp@${version} in ${component["bom-ref"]}`,
        name: "llama.cpp",
        version,
        purl: `pkg:github/ggml-org/llama.cpp@${version}`,
        licenses: [{ license: { id: "MIT" } }],
      },
    ];
  }
  return bill;
}
