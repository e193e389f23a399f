import { PRESET_NAMES, parseQuantization, QUANTIZATIONS, synthesize } from "@rhone/model";
import type { Command } from "commander";
import { positive, wholeNumber } from "../option-parsers.js";
import { formatBytes } from "../terminal/format.js";
import { ProgressBar } from "../terminal/progress-bar.js";

interface SynthesizeOptions {
  readonly preset: string;
  readonly out: string;
  readonly type: string;
  readonly layers?: number;
  readonly seed: number;
}

export function addSynthesizeCommand(model: Command, signal: AbortSignal): void {
  model
    .command("synth")
    .description("make a model of a known shape with random weights, to plan capacity and to measure")
    .requiredOption("-p, --preset <name>", PRESET_NAMES.join(", "))
    .requiredOption("-o, --out <file>", "the GGUF file to write")
    .option("-t, --type <type>", QUANTIZATIONS.join(", "), "q4_0")
    .option("--layers <n>", "another depth than the preset's", positive)
    .option("--seed <n>", "equal seeds make equal files", wholeNumber({ least: 0 }), 0)
    .action(async ({ preset, out, type, layers, seed }: SynthesizeOptions) => {
      const bar = new ProgressBar(process.stderr, preset);
      const bytes = await synthesize({
        preset,
        out,
        type: parseQuantization(type),
        seed,
        ...(layers === undefined ? {} : { layers }),
        signal,
        onProgress: (progress) => bar.update(progress.bytes, progress.totalBytes),
      });
      bar.finish(formatBytes(bytes));
      console.log(out);
    });
}
