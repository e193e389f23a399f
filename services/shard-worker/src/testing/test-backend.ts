import { type KernelChoice, loadConfig } from "@rhone/common";
import { Backend, chooseKernels, type Engine, openEngine } from "@rhone/ggml";
import { shardWorkerSettings } from "../config.js";

const { kernels: asConfigured } = loadConfig({ kernels: shardWorkerSettings.kernels }, process.env, []);

/**
 * A backend of one thread that computes as a worker does: RHONE_KERNELS chooses its kernels, so the same tests hold
 * both for them and for ggml. Close it.
 */
export function openTestBackend(choice: KernelChoice = asConfigured): {
  readonly engine: Engine;
  readonly backend: Backend;
} {
  const engine = openEngine({});
  return { engine, backend: Backend.open(engine, { threads: 1, kernels: chooseKernels(engine, choice).kernels }) };
}
