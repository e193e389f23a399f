import { describePart, type UnclaimedMemory } from "@rhone/common";
import {
  type CountChoice,
  chooseWorkerCount,
  modelRequest,
  type PageOptions,
  type PlannableModel,
} from "@rhone/planner";
import { formatBytes, plural } from "../terminal/format.js";
import type { ClusterOptions } from "./cluster-options.js";

export interface Machine {
  readonly cores: number;
  /** Bytes to divide among the workers. */
  readonly availableMemory: number;
  /** What these bytes are, or are a part of. */
  readonly memory: UnclaimedMemory;
}

export interface DefaultWorkers {
  readonly workers: number;
  /** Why this number, in one line. */
  readonly why: string;
}

/** What each worker may use. */
export interface MemoryOfWorkers {
  /** Bytes; undefined: what its device has. */
  readonly memory: number | undefined;
  /** Where they come from, in words; undefined: its device. */
  readonly memoryFrom: string | undefined;
}

type Options = PageOptions & Pick<ClusterOptions, "threads" | "memory" | "memoryFrom" | "device">;

/**
 * How many workers serve a model when nobody says: the number that is predicted fastest on this machine. Throws
 * NOT_ENOUGH_MEMORY when it can't hold the model.
 */
export function defaultWorkers(model: PlannableModel, options: Options, machine: Machine): DefaultWorkers {
  const { device } = options;
  const choice = chooseWorkerCount({
    ...modelRequest(model, options),
    // A device other than the CPU is as fast with one worker as with all of them together.
    cores: device === undefined ? machine.cores : 1,
    threadsOf: (workers) => (device === undefined ? threadsOf(options, machine, workers) : 1),
    memoryOf: (workers) => memoryOf(options, machine, workers).memory ?? Number.POSITIVE_INFINITY,
  });
  return { workers: choice.workers, why: why(choice, options, machine) };
}

function why({ workers, least, other }: CountChoice, options: Options, machine: Machine): string {
  const { device, memory = 0 } = options;
  const many = plural(workers, "worker");
  const shape = device === undefined ? `${many} x ${plural(threadsOf(options, machine, workers), "thread")}` : many;
  const place = device ?? plural(machine.cores, "core");
  if (workers === least && least > 1) {
    return `${shape}: fewer workers of ${formatBytes(memory)} can't hold the model. --workers sets another number.`;
  }
  const share =
    other === null ? "" : `; ${plural(other.workers, "worker")} would reach ${Math.floor(100 * other.speed)} % of that`;
  return `${shape}: predicted fastest on ${place}${share}. --workers sets another number.`;
}

/** The cores, divided among the workers; at least one thread each. */
export const threadsOf = (
  { threads }: Pick<Options, "threads">,
  { cores }: Pick<Machine, "cores">,
  workers: number,
): number => threads ?? Math.max(1, Math.floor(cores / workers));

/** 90 % of the machine's memory, divided, since each worker by itself would count on all of it. */
export function memoryOf(
  { memory, memoryFrom = "set by --memory", device }: Pick<Options, "memory" | "memoryFrom" | "device">,
  machine: Pick<Machine, "availableMemory" | "memory">,
  workers: number,
): MemoryOfWorkers {
  if (memory !== undefined) return { memory, memoryFrom };
  if (device !== undefined) return { memory: undefined, memoryFrom: undefined };
  const part = Math.floor((0.9 * machine.availableMemory) / workers);
  return { memory: part, memoryFrom: describePart(part, machine.memory) };
}
