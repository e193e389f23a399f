import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { RhoneError } from "@rhone/common";
import { chooseKernels, devicePackages, type Engine, openEngine } from "@rhone/ggml";
import type { Command } from "commander";
import { readCliConfig } from "../config.js";
import { thisMachine } from "../launch/launch-plan.js";
import { formatBytes, formatTable } from "../terminal/format.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

export function addDeviceCommands(program: Command): void {
  const device = program.command("device").description("list the devices that workers can compute on, or add more");
  device
    .command("ls")
    .alias("list")
    .description("list the devices of this machine (for `rhone up --device NAME`)")
    .option("--json", "print JSON")
    .action((options: { json?: boolean }) => list(options.json === true));
  device
    .command("add")
    .argument("<kind>", "cuda, vulkan or metal")
    .description("install the prebuilt libraries for more devices (several hundred MB)")
    .action((kind: string) => {
      const packages = devicePackages(kind);
      if (packages.length > 0) install(packages);
      list(false);
      if (packages.length > 0) checkAnswers(kind);
    });
}

/** The one that workers open, RHONE_GGML_DIR's if that is set. */
function thisEngine(): Engine {
  const { ggmlDir } = readCliConfig();
  return openEngine(ggmlDir === undefined ? {} : { dir: ggmlDir });
}

function list(asJson: boolean): void {
  const engine = thisEngine();
  const { kernels, notice } = chooseKernels(engine, "auto");
  const devices = engine.devices().map((device) => ({
    ...device,
    // Of a CPU, ggml counts all memory as free.
    ...(device.kind === "cpu" && { memoryFree: thisMachine().availableMemory, kernels: kernels?.variants ?? [] }),
  }));
  if (asJson) {
    console.log(JSON.stringify(devices, null, 2));
    return;
  }
  const rows = devices.map((device) => [
    device.name,
    device.kind,
    formatBytes(device.memoryTotal),
    formatBytes(device.memoryFree),
    device.kernels?.join(", ") || "ggml",
    device.description,
  ]);
  console.log(formatTable([["NAME", "KIND", "MEMORY", "FREE", "KERNELS", "DESCRIPTION"], ...rows], [2, 3]));
  if (notice !== undefined) console.log(`\n${notice.message}`);
}

/** Devices are named after their kind: CUDA0, Vulkan1. Throws DEVICE_NOT_FOUND. */
function checkAnswers(kind: string): void {
  const devices = thisEngine().devices();
  if (devices.some(({ name }) => name.toLowerCase().startsWith(kind))) return;
  throw new RhoneError(
    "DEVICE_NOT_FOUND",
    `The ${kind} libraries are installed, but they find no device. Check the driver (nvidia-smi, vulkaninfo).`,
  );
}

/** Leaves package.json and the lockfile alone. Throws DOWNLOAD_FAILED. */
function install(packages: readonly string[]): void {
  const args = ["install", "--no-save", "--no-audit", "--no-fund", ...packages];
  const { status } = spawnSync("npm", args, { cwd: ROOT, stdio: "inherit", shell: process.platform === "win32" });
  if (status === 0) return;
  throw new RhoneError("DOWNLOAD_FAILED", `npm could not install ${packages.join(" and ")}; its output is above.`);
}
