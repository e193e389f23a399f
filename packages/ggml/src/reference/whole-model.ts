import { existsSync } from "node:fs";
import { RhoneError } from "@rhone/common/rhone-error";
import type { LlamaBindings } from "../bindings/llama.js";
import type { ContextParams } from "../bindings/llama-structs.js";
import { native, type Pointer } from "../bindings/pointer.js";
import type { Engine } from "../native/engine.js";
import type { NativeEngine } from "../native/load-native.js";
import { LlamaContext } from "./llama-context.js";

/** A GGUF file opened by libllama with all its weights, on the CPU. Close its contexts first. */
export class WholeModel {
  readonly nVocab: number;
  /** Length of an embedding. */
  readonly nEmbd: number;
  readonly #engine: NativeEngine;
  readonly #llama: LlamaBindings;
  readonly #model: Pointer;
  #open = true;

  private constructor(engine: NativeEngine, model: Pointer) {
    this.#engine = engine;
    this.#llama = engine.llama();
    this.#model = model;
    this.nVocab = this.#llama.vocabNTokens(this.#llama.modelGetVocab(model));
    this.nEmbd = this.#llama.modelNEmbdOut(model);
  }

  /** Throws MODEL_NOT_FOUND, and GGUF_MALFORMED with libllama's complaint. */
  static open(handle: Engine, path: string): WholeModel {
    const engine = handle[native];
    const llama = engine.llama();
    if (!existsSync(path)) throw new RhoneError("MODEL_NOT_FOUND", `There is no file ${path}.`);
    const params = { ...llama.modelDefaultParams(), n_gpu_layers: 0 };
    const { result, complaints } = engine.log.capture(() => llama.modelLoadFromFile(path, params));
    if (result === null) throw new RhoneError("GGUF_MALFORMED", `${path} can't be loaded: ${complaints}.`);
    return new WholeModel(engine, result);
  }

  /** An empty context; libllama's defaults hold for what `params` leaves out. Throws OUT_OF_MEMORY. */
  newContext(params: Partial<ContextParams>): LlamaContext {
    if (!this.#open) throw new RhoneError("GGML_FAILED", "A reference model was used after it was closed.");
    const llama = this.#llama;
    const all = { ...llama.contextDefaultParams(), ...params };
    const { result, complaints } = this.#engine.log.capture(() => llama.initFromModel(this.#model, all));
    if (result !== null) return new LlamaContext(this.#engine, result);
    const message = `libllama can't make a context of ${all.n_ctx} positions: ${complaints || "it gave no reason"}.`;
    throw new RhoneError("OUT_OF_MEMORY", message);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#llama.modelFree(this.#model);
  }
}
