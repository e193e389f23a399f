import { resolve } from "node:path";
import { activationTypeSchema, KERNEL_CHOICES } from "@rhone/common";
import { CHAT_TEMPLATE_NAMES } from "@rhone/model";
import { Command, Option } from "commander";
import {
  byteCount,
  chatTemplate,
  gatewayUrl,
  positive,
  simulation,
  targetItl,
  wholeNumber,
} from "../option-parsers.js";

/** The data directory: every command that reads or writes there has it. */
export const addDataDirFlag = (command: Command): Command =>
  command.option("--data-dir <dir>", "data directory (default: RHONE_HOME or ~/.rhone)");

/** The gateway to ask, and the data directory whose cluster it is otherwise. */
export const addGatewayFlags = (command: Command): Command =>
  addDataDirFlag(
    command.option("--url <url>", "gateway to ask (default: the cluster of the data directory)", gatewayUrl),
  );

/** The flags that `plan`, `up` and `bench --spawn` share: the model and its share of the machine. */
export function addMachineFlags(command: Command): Command {
  return command
    .option(
      "-w, --workers <n>",
      "worker processes that share the layers (default: as many as are fastest here; 2 for Breeze)",
      positive,
    )
    .option("-t, --threads <n>", "threads per worker (default: the cores divided by the workers)", positive)
    .option(
      "--memory <bytes>",
      "memory per worker, such as 6G (default: the free memory divided by the workers)",
      byteCount,
    )
    .addOption(new Option("--kv-type <type>", "type of the K/V cache").choices(["f16", "f32", "q8_0"]).default("f16"))
    .option(
      "--sliding-window <n>",
      "positions that a token attends to, itself included; 0 = all (default: the model's)",
      wholeNumber({ least: 0 }),
    )
    .option(
      "--context <n>",
      "longest sequence, in tokens (default: the model's, at most 32768)",
      wholeNumber({ least: 2 }),
    )
    .addOption(
      new Option(
        "--activation-type <type>",
        "type of activations between workers; only f32 answers alike on any number of them (default: f32)",
      ).choices(activationTypeSchema.options),
    )
    .option(
      "--spares <n>",
      "workers that may be lost at a time: each holds the weights of the n stages after its own, too (default: 0)",
      wholeNumber({ least: 0 }),
    )
    .option("--max-sequences <n>", "sequences that run at once, at most (default: 64)", positive)
    .option("--max-rows <n>", "tokens per step, at most, prompts and answers together (default: 512)", positive)
    .option("--device <name>", "device to compute on, from `rhone device ls` (default: CPU)")
    .addOption(
      new Option("--kernels <name>", "what CPUs compute with (default: the best that this one runs)").choices([
        ...KERNEL_CHOICES,
      ]),
    );
}

/** The flags that decide how a cluster is built, which `up` and `bench --spawn` share. */
export const addClusterFlags = (command: Command): Command =>
  addClusterSettings(command.option("-m, --model <name|path>", MODEL_HELP, "breeze"));

/** The same without the model. */
export function addClusterSettings(command: Command): Command {
  return addMachineFlags(command)
    .option("--replicas <n>", "pipelines of each model, which share its requests (default: 1)", positive)
    .addOption(
      new Option(
        "--chat-template <name|file>",
        `${CHAT_TEMPLATE_NAMES.join(", ")}, or a file with a Jinja template (default: the model's)`,
      )
        .env("RHONE_CHAT_TEMPLATE")
        .argParser(chatTemplate),
    )
    .option(
      "--target-itl <ms>",
      "longest gap between a stream's tokens that prompts may cause, in ms, or: auto, off",
      targetItl,
      "auto",
    )
    .option(
      "--speculate <n>",
      "tokens drafted per step from repetitions in the text, at most; 0 = off (default: 0)",
      wholeNumber({ least: 0, most: 32 }),
    )
    .option(
      "--simulate <how>",
      "compute nothing, to measure the rest: null, or stage-ms=<n>,row-us=<n>,row-bytes=<n>",
      simulation,
    );
}

/** Who may ask a gateway. */
export const addAuthFlag = (command: Command): Command =>
  command.addOption(
    new Option(
      "--auth <mode>",
      "whether requests need an API key; auto: unless --host is a loopback address (default: RHONE_AUTH or auto)",
    ).choices(["auto", "keys", "off"]),
  );

/** Where a gateway keeps files and batches. */
export const addStorageFlags = (command: Command): Command =>
  command
    .option(
      "--storage <place>",
      "where files and batches are kept: a folder or s3://bucket/prefix (default: the data directory)",
      storagePlace,
    )
    .option("--s3-endpoint <url>", "S3-compatible service (default: Amazon S3)")
    .option("--s3-region <name>", "region of the bucket (default: AWS_REGION, or us-east-1 with --s3-endpoint)")
    .addOption(
      new Option("--s3-path-style <bool>", "bucket in the path of the URL (default: true with --s3-endpoint)").choices([
        "true",
        "false",
      ]),
    );

/** Absolute, because the gateway runs in another folder. */
const storagePlace = (text: string): string => (text.includes("://") ? text : resolve(text));

export const MODEL_HELP = "name from `rhone model ls`, or path of a GGUF file";

/** The names of the options that `addClusterFlags` adds. */
export const clusterFlagNames = (): readonly string[] =>
  addClusterFlags(new Command()).options.map((option) => option.attributeName());
