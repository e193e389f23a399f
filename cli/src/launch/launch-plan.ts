import { availableParallelism, freemem } from "node:os";
import { RhoneError } from "@rhone/common";
import {
  CATALOGUE,
  type CatalogueEntry,
  type ChatTemplateChoice,
  fileStem,
  inspectModel,
  type ModelSummary,
  readChatTemplate,
  resolveModel,
} from "@rhone/model";
import { commandWriter } from "../config.js";
import type { DataDir } from "../data-dir.js";
import { formatBytes, formatCount } from "../terminal/format.js";
import type { ClusterOptions } from "./cluster-options.js";
import { type DefaultWorkers, defaultWorkers, type Machine, memoryOf, threadsOf } from "./default-workers.js";
import type { PlannableModel } from "./model-request.js";

/** What a cluster's options mean on this machine, decided before its first process starts. */
export interface LaunchPlan {
  readonly model: {
    /** The name that clients use. */
    readonly name: string;
    readonly path: string;
    /** For people. */
    readonly description: string;
    /** From the catalogue; the file may have none. */
    readonly slidingWindow: number | undefined;
    /** As the options or the catalogue say; undefined = what the file suggests. */
    readonly chatTemplate: string | undefined;
    /** Why chats will be refused, for people. */
    readonly chatRefusal?: string | undefined;
    /** Positions of its longest sequence. */
    readonly contextLength: number;
  };
  readonly workers: number;
  /** Why this number, in one line, where nobody asked for one; null otherwise. */
  readonly why: string | null;
  /** Per worker. */
  readonly threads: number;
  /** Bytes that each worker may use; undefined = what its device has. */
  readonly memory: number | undefined;
}

export const thisMachine = (): Machine => ({
  cores: availableParallelism(),
  availableMemory: process.availableMemory?.() ?? freemem(),
});

/** Of the embedded model, which shows a pipeline rather than speed. */
const DEMONSTRATION_WORKERS = 2;
const RECOMMENDED = "mistral-7b-instruct-v0.3";

/**
 * Finds the model and divides the machine. Throws MODEL_NOT_FOUND, INVALID_CONFIG, MODEL_UNSUPPORTED for a chat
 * template that does not fit the model, the errors of a damaged file, and NOT_ENOUGH_MEMORY where the number of workers
 * is left to it and none would do.
 */
export async function planLaunch(options: ClusterOptions, dataDir: DataDir, machine: Machine): Promise<LaunchPlan> {
  const rhone = commandWriter(dataDir.root);
  const { path, entry } = await resolveModel(options.model, { modelsDir: dataDir.models, rhone });
  const chatTemplate = options.chatTemplate ?? entry?.chatTemplate;
  const summary = await inspectModel(path, templateOf(chatTemplate));
  return {
    model: {
      name: entry?.name ?? fileStem(path),
      path: summary.path,
      description: describeModel(summary, entry),
      slidingWindow: entry?.slidingWindow,
      chatTemplate,
      chatRefusal: summary.chatRefusal,
      contextLength: summary.config.contextLength,
    },
    ...divideMachine(options, { model: summary, entry }, machine),
  };
}

/** The template of a setting. Throws INVALID_CONFIG. */
function templateOf(text: string | undefined): ChatTemplateChoice | undefined {
  if (text === undefined) return undefined;
  const read = readChatTemplate(text);
  if (typeof read === "string" || "source" in read) return read;
  throw new RhoneError("INVALID_CONFIG", `--chat-template ${text} ${read.problem}.`);
}

/** The workers of a cluster, and the share of the machine that each gets. Throws as `planLaunch`. */
export function divideMachine(
  options: ClusterOptions,
  { model, entry }: { readonly model: PlannableModel; readonly entry: CatalogueEntry | undefined },
  machine: Machine,
): Pick<LaunchPlan, "workers" | "why" | "threads" | "memory"> {
  const { nLayers } = model.config;
  const asked = options.workers ?? (entry?.source.kind === "embedded" ? DEMONSTRATION_WORKERS : undefined);
  if (asked !== undefined && asked > nLayers) {
    throw new RhoneError(
      "INVALID_CONFIG",
      `${asked} workers can't share ${nLayers} layers. Set --workers to ${nLayers} or less.`,
    );
  }
  const { workers, why } = asked === undefined ? chosenWorkers(model, options, machine) : { workers: asked, why: null };
  return { workers, why, threads: threadsOf(options, machine, workers), memory: memoryOf(options, machine, workers) };
}

/** Throws NOT_ENOUGH_MEMORY, unless other machines may join and hold the rest. */
function chosenWorkers(model: PlannableModel, options: ClusterOptions, machine: Machine): DefaultWorkers {
  try {
    return defaultWorkers(model, options, machine);
  } catch (error) {
    const isTooLarge = error instanceof RhoneError && error.code === "NOT_ENOUGH_MEMORY";
    if (!isTooLarge || options.listen === undefined) throw error;
    return { workers: 1, why: `1 worker here. ${error.message} Others that join hold the rest.` };
  }
}

function describeModel(summary: ModelSummary, entry: CatalogueEntry | undefined): string {
  if (entry?.source.kind === "embedded") {
    const millions = Math.round(summary.nParameters / 1e6);
    return `Breeze, a demonstration model of ${millions} M parameters that knows only a small world`;
  }
  const { nParameters, fileBytes, config } = summary;
  const name = entry?.name ?? config.name;
  return `${name}, ${formatCount(nParameters)} parameters, ${config.nLayers} layers, ${formatBytes(fileBytes)}`;
}

/** How to serve a real model, if this is the demonstration model; undefined for any other. */
export async function hintAfter(options: ClusterOptions, dataDir: DataDir): Promise<string | undefined> {
  const entry = CATALOGUE.find(({ name }) => name === options.model.toLowerCase());
  if (entry?.source.kind !== "embedded") return undefined;
  const isPulled = await resolveModel(RECOMMENDED, { modelsDir: dataDir.models }).then(
    () => true,
    () => false,
  );
  const pull = isPulled ? [] : [`model pull ${RECOMMENDED}`];
  const commands = [...pull, "down", `up --model ${RECOMMENDED}`].map(commandWriter(dataDir.root));
  return `For Mistral 7B: ${commands.join(" && ")}`;
}
