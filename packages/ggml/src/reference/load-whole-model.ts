import { existsSync } from "node:fs";
import { RhoneError } from "@rhone/common";
import type { LlamaBindings } from "../bindings/llama.js";
import { native, type Pointer } from "../bindings/pointer.js";
import type { Engine } from "../native/engine.js";

/** A GGUF file opened by libllama, weights and all, on the CPU; the caller frees `model`. */
export interface WholeModel {
  readonly llama: LlamaBindings;
  readonly model: Pointer;
  readonly nVocab: number;
}

/** Throws MODEL_NOT_FOUND, and GGUF_MALFORMED with libllama's complaint. */
export function loadWholeModel(engine: Engine, path: string): WholeModel {
  const { log, llama: load } = engine[native];
  const llama = load();
  if (!existsSync(path)) throw new RhoneError("MODEL_NOT_FOUND", `There is no file ${path}.`);
  const params = { ...llama.modelDefaultParams(), n_gpu_layers: 0 };
  const { result: model, complaints } = log.capture(() => llama.modelLoadFromFile(path, params));
  if (model === null) throw new RhoneError("GGUF_MALFORMED", `${path} can't be loaded: ${complaints}.`);
  return { llama, model, nVocab: llama.vocabNTokens(llama.modelGetVocab(model)) };
}
