import { basename } from "node:path";
import { RhoneError } from "@rhone/common";
import { CATALOGUE, type CatalogueEntry, inspectModel, type ModelSummary, resolveModel } from "@rhone/model";
import type { DataDir } from "../data-dir.js";
import { formatBytes, formatCount } from "../terminal/format.js";
import type { ClusterOptions } from "./cluster-options.js";

/** Everything about a cluster that is settled before its first process starts. */
export interface LaunchPlan {
  readonly model: {
    /** What clients ask for. */
    readonly name: string;
    readonly path: string;
    /** For people. */
    readonly description: string;
    /** Of the catalogue, where the file has none. */
    readonly slidingWindow: number | undefined;
    readonly chatTemplate: string;
  };
  readonly workers: number;
  /** Per worker. */
  readonly threads: number;
  /** Bytes that each worker may use; undefined lets it ask its device. */
  readonly memory: number | undefined;
}

export interface Machine {
  readonly cores: number;
  /** Bytes that programs may still take. */
  readonly availableMemory: number;
}

const DEFAULT_WORKERS = 2;
const RECOMMENDED = "mistral-7b-instruct-v0.3";

/** Finds the model and divides the machine. Throws MODEL_NOT_FOUND, what a damaged file throws, and INVALID_CONFIG. */
export async function planLaunch(options: ClusterOptions, dataDir: DataDir, machine: Machine): Promise<LaunchPlan> {
  const { path, entry } = await resolveModel(options.model, { modelsDir: dataDir.models });
  const summary = await inspectModel(path);
  const { nLayers } = summary.config;
  const workers = options.workers ?? Math.min(DEFAULT_WORKERS, nLayers);
  if (workers > nLayers) {
    throw new RhoneError(
      "INVALID_CONFIG",
      `${workers} workers can't share ${nLayers} layers; set --workers to ${nLayers} or less.`,
    );
  }
  return {
    model: {
      name: entry?.name ?? basename(path, ".gguf"),
      path,
      description: describeModel(summary, entry),
      slidingWindow: entry?.slidingWindow,
      chatTemplate: summary.chatTemplate,
    },
    workers,
    threads: options.threads ?? defaultThreads(machine.cores, workers),
    memory:
      options.memory ?? (options.device === undefined ? memoryShare(machine.availableMemory, workers) : undefined),
  };
}

/** The cores, divided among the workers; at least one each. */
export const defaultThreads = (cores: number, workers: number): number => Math.max(1, Math.floor(cores / workers));

/** Workers on one machine share its memory, so that they do not each count on all of it. */
const memoryShare = (available: number, workers: number): number => Math.floor((0.9 * available) / workers);

function describeModel(summary: ModelSummary, entry: CatalogueEntry | undefined): string {
  if (entry?.source.kind === "embedded") {
    return `Breeze, a ${Math.round(summary.nParameters / 1e6)} M demonstration model, knows only a small world`;
  }
  const { nParameters, fileBytes, config } = summary;
  const name = entry?.name ?? config.name;
  return `${name}, ${formatCount(nParameters)} parameters, ${config.nLayers} layers, ${formatBytes(fileBytes)}`;
}

/** What to run for a real model, told to whoever serves the demonstration model; undefined for any other. */
export async function hintAfter(options: ClusterOptions, dataDir: DataDir): Promise<string | undefined> {
  const entry = CATALOGUE.find(({ name }) => name === options.model.toLowerCase());
  if (entry?.source.kind !== "embedded") return undefined;
  const isPulled = await resolveModel(RECOMMENDED, { modelsDir: dataDir.models }).then(
    () => true,
    () => false,
  );
  const up = `./rhone up --model ${RECOMMENDED}`;
  return `For Mistral 7B: ${isPulled ? up : `./rhone model pull ${RECOMMENDED} && ${up}`}`;
}
