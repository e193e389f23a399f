import { Command, Option } from "commander";
import { byteCount, positive, simulation, wholeNumber } from "../option-parsers.js";

/** What decides how a cluster is built: the flags that `up` and `bench --spawn` share. */
export function addClusterFlags(command: Command): Command {
  return command
    .option("-m, --model <name|path>", "a name of `rhone model ls`, or a GGUF file", "breeze")
    .option("-w, --workers <n>", "processes that share the layers (default: 2)", positive)
    .option("-t, --threads <n>", "threads per worker (default: the cores, divided among the workers)", positive)
    .option(
      "--memory <bytes>",
      "what each worker may use, such as 6G (default: the free memory, divided among the workers)",
      byteCount,
    )
    .addOption(new Option("--kv-type <type>", "type of the K/V pages").choices(["f16", "f32", "q8_0"]).default("f16"))
    .option("--sliding-window <w>", "positions a token sees, 0 = all (default: the model's)", wholeNumber({ least: 0 }))
    .option(
      "--context <n>",
      "most positions per sequence (default: the model's, at most 32768)",
      wholeNumber({ least: 2 }),
    )
    .addOption(new Option("--activation-type <type>", "type of what flows between workers").choices(["f16", "f32"]))
    .option("--max-sequences <n>", "most sequences that run at a time (default: 64)", positive)
    .option("--max-rows <n>", "most tokens per step, prompts and answers together (default: 512)", positive)
    .option("--target-itl <ms>", "gap between a stream's tokens that prompts may cause: ms, auto or off", "auto")
    .option(
      "--speculate <n>",
      "guess up to n tokens ahead from a text's own repetitions; 0 = off",
      wholeNumber({ least: 0 }),
    )
    .option("--device <name>", "a device of `rhone device ls`")
    .option("--simulate <how>", "compute nothing, for measurements: null, or stage-ms=<n>,row-bytes=<n>", simulation);
}

/** The names of the options that the flags above set. */
export const clusterFlagNames = (): readonly string[] =>
  addClusterFlags(new Command()).options.map((option) => option.attributeName());
