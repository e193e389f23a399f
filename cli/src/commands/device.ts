import { openEngine } from "@rhone/ggml";
import type { Command } from "commander";
import { formatBytes } from "../terminal/format.js";
import { formatTable } from "../terminal/table.js";

export function addDeviceCommands(program: Command): void {
  program
    .command("device")
    .description("show what this machine computes with")
    .command("ls")
    .alias("list")
    .description("list the devices that a worker can use (rhone up --device NAME)")
    .option("--json", "print JSON")
    .action((options: { json?: boolean }) => {
      const devices = openEngine().devices();
      if (options.json) return console.log(JSON.stringify(devices, null, 2));
      const rows = devices.map((device) => [
        device.name,
        device.kind,
        formatBytes(device.memoryTotal),
        formatBytes(device.memoryFree),
        device.description,
      ]);
      console.log(formatTable([["NAME", "KIND", "MEMORY", "FREE", "DESCRIPTION"], ...rows], [2, 3]));
    });
}
