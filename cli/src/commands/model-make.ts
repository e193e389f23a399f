import { openEngine } from "@rhone/ggml";
import {
  checkpointName,
  convertCheckpoint,
  PRESET_NAMES,
  parseQuantization,
  QUANTIZATIONS,
  synthesize,
} from "@rhone/model";
import type { Command } from "commander";
import { outputFile, positive, wholeNumber } from "../option-parsers.js";
import { formatBytes } from "../terminal/format.js";
import { ProgressBar } from "../terminal/progress-bar.js";

interface ConvertOptions {
  readonly out?: string;
  readonly type: string;
  readonly tokenizer?: string;
  readonly name?: string;
}

export function addConvertCommand(model: Command, signal: AbortSignal): void {
  model
    .command("convert")
    .description("convert a Hugging Face checkpoint (safetensors) to GGUF")
    .argument("<dir>", "folder with config.json")
    .option("-o, --out <file>", "GGUF file to write (default: NAME-TYPE.gguf in this folder)", outputFile)
    .option("-t, --type <type>", `type of the weights: ${QUANTIZATIONS.join(", ")}`, "q4_0")
    .option("--tokenizer <file>", "tokenizer.model or tokenizer.json, if not in <dir>; none = token ids only")
    .option("--name <name>", "name of the model (default: the folder's, or the repository's in Hugging Face's cache)")
    .action(async (dir: string, options: ConvertOptions) => {
      const { name = checkpointName(dir), tokenizer } = options;
      const type = parseQuantization(options.type);
      const { out = outputName(name, type) } = options;
      const bar = new ProgressBar(process.stderr, "converting");
      const bytes = await convertCheckpoint(openEngine(), {
        dir,
        out,
        type,
        ...(tokenizer === undefined ? {} : { tokenizer }),
        name,
        signal,
        onWarning: (text) => console.error(`Warning: ${text}`),
        onProgress: ({ tensor, tensors, totalTensors }) => bar.updateCount(tensors, totalTensors, tensor),
      });
      bar.finish(formatBytes(bytes));
      console.log(out);
    });
}

/** The file of a model in this folder. Its name may have an owner before it, as on Hugging Face. */
export const outputName = (name: string, type: string): string => `${name.replaceAll("/", "-")}-${type}.gguf`;

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
    .description("write a model of a known shape with random weights, for capacity planning and benches")
    .requiredOption("-p, --preset <name>", PRESET_NAMES.join(", "))
    .requiredOption("-o, --out <file>", "GGUF file to write", outputFile)
    .option("-t, --type <type>", `type of the weights: ${QUANTIZATIONS.join(", ")}`, "q4_0")
    .option("--layers <n>", "number of layers, instead of the preset's", positive)
    .option("--seed <n>", "the same seed writes the same file", wholeNumber({ least: 0 }), 0)
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
