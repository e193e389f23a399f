import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { toRhoneError } from "@rhone/common";
import {
  type CatalogueEntry,
  findModel,
  inspectModel,
  type KnownShape,
  knownShape,
  type ModelSearch,
  resolveModel,
  synthesize,
} from "@rhone/model";
import type { PlannableModel } from "@rhone/planner";

/** Layers that are timed: enough to keep the processor's caches cold. */
const TIMED_BYTES = 400e6;
const [LEAST_TIMED, MOST_TIMED] = [3, 8];

/** A model to plan. Close it. */
export interface PlannedModel extends PlannableModel {
  readonly name: string;
  readonly entry: CatalogueEntry | undefined;
  /** The most of its layers that are timed. */
  readonly timedLayers: number;
  /** The type of random weights that stand for the model's, as its file is not there; null otherwise. */
  readonly randomType: string | null;
  /**
   * A file with at least `timedLayers` of its layers and its head. Writes one where the model's is not there, and
   * throws DISK_FULL and the reason of `signal`.
   */
  timedFile(onWriting: (bytes: number, totalBytes: number) => void, signal: AbortSignal): Promise<string>;
  close(): Promise<void>;
}

/**
 * The model of a name or a path; one of the catalogue whose file is not on this machine by its shape. Throws
 * MODEL_NOT_FOUND and the errors of a damaged file.
 */
export async function openPlannedModel(nameOrPath: string, search: ModelSearch): Promise<PlannedModel> {
  try {
    const { path, entry } = await resolveModel(nameOrPath, search);
    const { config, weightBytes } = await inspectModel(path);
    return {
      ...{ config, weightBytes, entry, randomType: null, timedLayers: timedLayersOf(weightBytes.layers) },
      name: entry?.name ?? basename(path, ".gguf"),
      timedFile: async () => path,
      close: async () => {},
    };
  } catch (error) {
    const entry = nameOrPath.includes("/") ? undefined : findModel(nameOrPath);
    const shape = entry === undefined ? null : knownShape(entry);
    if (toRhoneError(error).code !== "MODEL_NOT_FOUND" || entry === undefined || shape === null) throw error;
    return new ModelByShape(entry, shape);
  }
}

const timedLayersOf = (layers: readonly number[]): number => {
  const cold = Math.ceil((TIMED_BYTES * layers.length) / layers.reduce((sum, bytes) => sum + bytes, 0));
  return Math.min(layers.length, MOST_TIMED, Math.max(LEAST_TIMED, cold));
};

/** Its few layers are random weights, in a temporary folder. */
class ModelByShape implements PlannedModel {
  readonly name: string;
  readonly entry: CatalogueEntry;
  readonly config: KnownShape["config"];
  readonly weightBytes: KnownShape["weightBytes"];
  readonly timedLayers: number;
  readonly randomType: string;
  readonly #shape: KnownShape;
  #folder: string | undefined;

  constructor(entry: CatalogueEntry, shape: KnownShape) {
    this.name = entry.name;
    this.entry = entry;
    this.config = shape.config;
    this.weightBytes = shape.weightBytes;
    this.timedLayers = timedLayersOf(shape.weightBytes.layers);
    this.randomType = shape.type.toUpperCase();
    this.#shape = shape;
  }

  async timedFile(onWriting: (bytes: number, totalBytes: number) => void, signal: AbortSignal): Promise<string> {
    const { preset, type } = this.#shape;
    const isThere = this.#folder !== undefined;
    this.#folder ??= await mkdtemp(join(tmpdir(), "rhone-plan-"));
    const out = join(this.#folder, "layers.gguf");
    const onProgress = ({ bytes, totalBytes }: { bytes: number; totalBytes: number }) => onWriting(bytes, totalBytes);
    if (!isThere) await synthesize({ preset, type, layers: this.timedLayers, seed: 0, out, onProgress, signal });
    return out;
  }

  async close(): Promise<void> {
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }
}
