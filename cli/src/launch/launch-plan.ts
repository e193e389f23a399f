import { availableCores, type MemoryClaim, RhoneError, type UnclaimedMemory, unclaimedMemory } from "@rhone/common";
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
import type { PlannableModel } from "@rhone/planner";
import { commandWriter } from "../config.js";
import type { DataDir } from "../data-dir.js";
import { formatBytes, formatCount } from "../terminal/format.js";
import type { ClusterOptions } from "./cluster-options.js";
import {
  type DefaultWorkers,
  defaultWorkers,
  type Machine,
  type MemoryOfWorkers,
  memoryOf,
  threadsOf,
} from "./default-workers.js";
import { memoryNeeded } from "./memory-needed.js";

/** A model of a cluster. */
export interface ModelPlan {
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
}

/** A coordinator and its workers, with what each of these may use. */
export interface PipelinePlan extends MemoryOfWorkers {
  readonly model: ModelPlan;
  /** What tells it from the cluster's others, for people: "breeze", "breeze (2 of 3)"; "" for the only one. */
  readonly label: string;
  readonly workers: number;
  /** Workers of the pipelines before it. */
  readonly workersBefore: number;
  /** Why this number of workers, in one line, where nobody asked for one; null otherwise. */
  readonly why: string | null;
  /** Per worker. */
  readonly threads: number;
}

/** What a cluster's options mean on this machine, decided before its first process starts. */
export interface LaunchPlan {
  /** The first is the one of requests that name none. */
  readonly models: readonly [ModelPlan, ...ModelPlan[]];
  readonly pipelines: readonly PipelinePlan[];
}

export const thisMachine = (memory: UnclaimedMemory = unclaimedMemory()): Machine => ({
  cores: availableCores(),
  availableMemory: memory.bytes,
  memory,
});

/** Of the embedded model, which shows a pipeline rather than speed. */
const DEMONSTRATION_WORKERS = 2;
const RECOMMENDED = "mistral-7b-instruct-v0.3";

/**
 * Finds the models and divides the machine among their pipelines: the cores equally, the memory by the models' bytes.
 * Throws MODEL_NOT_FOUND, INVALID_CONFIG, MODEL_UNSUPPORTED for a chat template that does not fit a model, the errors
 * of a damaged file, and NOT_ENOUGH_MEMORY where the number of workers is left to it and none would do.
 */
export async function planLaunch(options: ClusterOptions, dataDir: DataDir, machine: Machine): Promise<LaunchPlan> {
  return launchOf(await findModels(options, dataDir), options, machine);
}

/**
 * The same on this machine, and claims what the workers will hold of its memory: of two clusters that start at once,
 * the second plans with what the first leaves. Throws as `planLaunch`.
 */
export async function claimLaunch(options: ClusterOptions, dataDir: DataDir, claim: MemoryClaim): Promise<LaunchPlan> {
  const models = await findModels(options, dataDir);
  const { launch } = await claim.take((memory) => {
    const launch = launchOf(models, options, thisMachine(memory));
    const needed = launch.pipelines.map((pipeline) => {
      const found = models.find(({ plan }) => plan === pipeline.model);
      const { slidingWindow = pipeline.model.slidingWindow } = options;
      return found === undefined ? 0 : memoryNeeded(found.summary, { ...options, slidingWindow }, pipeline);
    });
    return { launch, bytes: needed.reduce((sum, bytes) => sum + bytes, 0) };
  });
  return launch;
}

function launchOf(models: FoundModels, options: ClusterOptions, machine: Machine): LaunchPlan {
  const [first, ...more] = models;
  return {
    models: [first.plan, ...more.map(({ plan }) => plan)],
    pipelines: planPipelines(models, options, machine),
  };
}

async function findModels(options: ClusterOptions, dataDir: DataDir): Promise<FoundModels> {
  const first = await findModel(options.model, options, dataDir);
  const more: FoundModel[] = [];
  for (const name of options.moreModels ?? []) more.push(await findModel(name, options, dataDir));
  checkNames([first, ...more]);
  return [first, ...more];
}

type FoundModels = readonly [FoundModel, ...FoundModel[]];

interface FoundModel {
  readonly plan: ModelPlan;
  readonly summary: ModelSummary;
  readonly entry: CatalogueEntry | undefined;
}

async function findModel(name: string, options: ClusterOptions, dataDir: DataDir): Promise<FoundModel> {
  const rhone = commandWriter(dataDir.root);
  const { path, entry } = await resolveModel(name, { modelsDir: dataDir.models, rhone });
  const chatTemplate = options.chatTemplate ?? entry?.chatTemplate;
  const summary = await inspectModel(path, templateOf(chatTemplate));
  const plan = {
    name: entry?.name ?? fileStem(path),
    path: summary.path,
    description: describeModel(summary, entry),
    slidingWindow: entry?.slidingWindow,
    chatTemplate,
    chatRefusal: summary.chatRefusal,
    contextLength: summary.config.contextLength,
  };
  return { plan, summary, entry };
}

/** Requests go to models by name. Throws INVALID_CONFIG. */
function checkNames(models: readonly FoundModel[]): void {
  const names = models.map(({ plan }) => plan.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  const advice = "--replicas serves one model by several pipelines, and a copy of a file may have another name";
  throw new RhoneError("INVALID_CONFIG", `Two models are called ${twice}: ${advice}.`);
}

function planPipelines(
  models: readonly FoundModel[],
  options: ClusterOptions,
  { cores, availableMemory, memory }: Machine,
): readonly PipelinePlan[] {
  const { replicas = 1 } = options;
  const count = replicas * models.length;
  const bytes = replicas * models.reduce((sum, { summary }) => sum + summary.weightBytes.total, 0);
  const pipelines: PipelinePlan[] = [];
  for (const { plan, summary, entry } of models) {
    const share = {
      cores: Math.max(1, Math.floor(cores / count)),
      availableMemory: Math.round((availableMemory * summary.weightBytes.total) / bytes),
      memory,
    };
    const division = divideMachine(options, { model: summary, entry }, share);
    for (let replica = 1; replica <= replicas; replica++) {
      const { workers = 0, workersBefore = 0 } = pipelines.at(-1) ?? {};
      const label = replicas === 1 ? plan.name : `${plan.name} (${replica} of ${replicas})`;
      const place = { label: count === 1 ? "" : label, workersBefore: workersBefore + workers };
      pipelines.push({ model: plan, ...place, ...division });
    }
  }
  return pipelines;
}

/** The template of a setting. Throws INVALID_CONFIG. */
function templateOf(text: string | undefined): ChatTemplateChoice | undefined {
  if (text === undefined) return undefined;
  const read = readChatTemplate(text);
  if (typeof read === "string" || "source" in read) return read;
  throw new RhoneError("INVALID_CONFIG", `--chat-template ${text} ${read.problem}.`);
}

export type Division = Pick<PipelinePlan, "workers" | "why" | "threads" | keyof MemoryOfWorkers>;

/** The workers of a pipeline, and the share of the machine that each gets. Throws as `planLaunch`. */
export function divideMachine(
  options: ClusterOptions,
  { model, entry }: { readonly model: PlannableModel; readonly entry: CatalogueEntry | undefined },
  machine: Machine,
): Division {
  const { nLayers } = model.config;
  const asked = options.workers ?? (entry?.source.kind === "embedded" ? DEMONSTRATION_WORKERS : undefined);
  if (asked !== undefined && asked > nLayers) {
    throw new RhoneError(
      "INVALID_CONFIG",
      `${asked} workers can't share ${nLayers} layers. Set --workers to ${nLayers} or less.`,
    );
  }
  const { workers, why } = asked === undefined ? chosenWorkers(model, options, machine) : { workers: asked, why: null };
  return { workers, why, threads: threadsOf(options, machine, workers), ...memoryOf(options, machine, workers) };
}

/** Throws NOT_ENOUGH_MEMORY, unless other machines may join and hold the rest. */
function chosenWorkers(model: PlannableModel, options: ClusterOptions, machine: Machine): DefaultWorkers {
  try {
    return defaultWorkers(model, options, machine);
  } catch (error) {
    const isTooLarge = error instanceof RhoneError && error.code === "NOT_ENOUGH_MEMORY";
    if (!isTooLarge) throw error;
    if (options.listen === undefined) {
      const { memoryFrom } = memoryOf(options, machine, 1);
      throw new RhoneError(error.code, `${error.message} What one worker has is ${memoryFrom}.`, { cause: error });
    }
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

/** How to serve a real model, if this is the demonstration model alone; undefined for any other. */
export async function hintAfter(options: ClusterOptions, dataDir: DataDir): Promise<string | undefined> {
  const entry = CATALOGUE.find(({ name }) => name === options.model.toLowerCase());
  if (entry?.source.kind !== "embedded" || (options.moreModels ?? []).length > 0) return undefined;
  const isPulled = await resolveModel(RECOMMENDED, { modelsDir: dataDir.models }).then(
    () => true,
    () => false,
  );
  const pull = isPulled ? [] : [`model pull ${RECOMMENDED}`];
  const commands = [...pull, "down", `up --model ${RECOMMENDED}`].map(commandWriter(dataDir.root));
  return `For Mistral 7B: ${commands.join(" && ")}`;
}
