import { RhoneError } from "@rhone/common";
import koffi, { type LibraryHandle } from "koffi";
import { type AllocBindings, bindAlloc } from "../bindings/alloc.js";
import { type BackendBindings, bindBackend, bindRegistry, type RegistryBindings } from "../bindings/backend.js";
import { bindGgml, type GgmlBindings, TENSOR_LAYOUT } from "../bindings/ggml.js";
import { bindLlama, type LlamaBindings } from "../bindings/llama.js";
import { type Declare, declareIn } from "../bindings/native-function.js";
import type { Pointer } from "../bindings/pointer.js";
import { type DeviceInfo, describeDevice } from "./device.js";
import { findLibraries, type LibraryFiles } from "./find-libraries.js";
import { NativeLog } from "./native-log.js";

/** The ggml that the bindings were written against. An own build must share major.minor. */
const EXPECTED_VERSION = "0.25.1";
/** ggml runs part of each graph on the calling thread's stack; koffi's own 128 KiB for async calls would be tight. */
const ASYNC_STACK_BYTES = 1024 * 1024;

export interface EngineOptions {
  /** A folder with somebody's own shared libraries of llama.cpp; the prebuilt package of this platform when absent. */
  readonly dir?: string;
}

/** Every native function, grouped by header. Stays inside this package. */
export interface NativeEngine {
  readonly ggml: GgmlBindings;
  readonly alloc: AllocBindings;
  readonly backend: BackendBindings;
  readonly registry: RegistryBindings;
  readonly log: NativeLog;
  /** libllama, loaded when first asked for. */
  readonly llama: () => LlamaBindings;
  readonly devicePointers: () => Pointer[];
}

/** ggml, loaded into this process. Lives as long as the process: native libraries are never unloaded. */
export class Engine {
  readonly version: string;
  /** The folder that the libraries came from. */
  readonly dir: string;
  readonly #native: NativeEngine;

  private constructor(files: LibraryFiles, native: NativeEngine) {
    this.version = native.ggml.version();
    this.dir = files.dir;
    this.#native = native;
  }

  /** The devices that ggml reports, in its order; "CPU" is always among them. Memory is read anew at each call. */
  devices(): readonly DeviceInfo[] {
    return this.#native.devicePointers().map((device) => describeDevice(this.#native.backend, device));
  }

  /** Reaches the bindings from within this package; the package's index does not export it. */
  static readonly nativeOf = (engine: Engine): NativeEngine => engine.#native;

  static readonly load = (files: LibraryFiles): Engine => new Engine(files, loadNative(files));
}

export const nativeOf = Engine.nativeOf;

let opened: Engine | undefined;

/**
 * Loads the libraries, once per process: a second call returns the same engine.
 * Throws GGML_LIBRARY_MISSING (names the package to install), GGML_VERSION_MISMATCH (found and expected version), and
 * GGML_FAILED when asked for another folder than the one already loaded.
 */
export function openEngine(options: EngineOptions = {}): Engine {
  if (opened !== undefined) {
    if (options.dir === undefined || options.dir === opened.dir) return opened;
    const message = `ggml is loaded from ${opened.dir} already; one process can't load ${options.dir} too. Start another process.`;
    throw new RhoneError("GGML_FAILED", message);
  }
  koffi.config({ async_stack_size: ASYNC_STACK_BYTES });
  opened = Engine.load(findLibraries(options.dir));
  return opened;
}

function loadNative(files: LibraryFiles): NativeEngine {
  const base = loadLibrary(files.base);
  const registryLibrary = loadLibrary(files.registry);
  const ggml = bindChecked(files.base, base, bindGgml);
  checkVersion(ggml, files.pinned);
  const backend = bindChecked(files.base, base, bindBackend);
  const registry = bindChecked(files.registry, registryLibrary, bindRegistry);
  const silence = base.symbol("ggml_time_init") as Pointer;
  let llama: LlamaBindings | undefined;
  const setLog = (callback: Pointer | null, data: Pointer | null): void =>
    llama === undefined ? ggml.logSet(callback, data) : llama.logSet(callback, data);
  const log = new NativeLog(setLog, silence);
  registry.loadAllFromPath(files.dir);
  for (const file of files.extraBackends) registry.load(file);
  return {
    ggml,
    alloc: bindChecked(files.base, base, bindAlloc),
    backend,
    registry,
    log,
    llama: () => {
      llama ??= loadLlama(files.llama, silence);
      return llama;
    },
    devicePointers: () => Array.from({ length: registry.devCount() }, (_, index) => registry.devGet(index)),
  };
}

function loadLlama(file: string, silence: Pointer): LlamaBindings {
  const llama = bindChecked(file, loadLibrary(file), bindLlama);
  llama.logSet(silence, null);
  checkLlamaLayout(llama);
  llama.backendInit();
  return llama;
}

function loadLibrary(file: string): LibraryHandle {
  try {
    return koffi.load(file, { global: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RhoneError("GGML_LIBRARY_MISSING", `${file} is there but can't be loaded: ${reason}`, { cause });
  }
}

function bindChecked<T>(file: string, library: LibraryHandle, bind: (declare: Declare) => T): T {
  try {
    return bind(declareIn(library));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `${file} is not the library of ggml ${EXPECTED_VERSION} that Rhone expects: ${reason}`;
    throw new RhoneError("GGML_VERSION_MISMATCH", message, { cause });
  }
}

function checkVersion(ggml: GgmlBindings, pinned: boolean): void {
  const found = ggml.version();
  const minor = (version: string) => version.split(".").slice(0, 2).join(".");
  const matches = pinned ? found === EXPECTED_VERSION : minor(found) === minor(EXPECTED_VERSION);
  const objectHeader = 32;
  const overhead = ggml.tensorOverhead();
  if (matches && overhead === TENSOR_LAYOUT.size + objectHeader) return;
  const expected = pinned ? EXPECTED_VERSION : `${minor(EXPECTED_VERSION)}.x`;
  const message = `Found ggml ${found} (commit ${ggml.commit()}, ${overhead} bytes per tensor); expected ${expected} with ${TENSOR_LAYOUT.size + objectHeader} bytes. Reinstall with \`npm ci\`, or build llama.cpp v0.5.0.`;
  throw new RhoneError("GGML_VERSION_MISMATCH", message);
}

/** Structures passed by value have no version of their own: known defaults show whether ours has the library's layout. */
function checkLlamaLayout(llama: LlamaBindings): void {
  const model = llama.modelDefaultParams();
  const context = llama.contextDefaultParams();
  const fits =
    !model.vocab_only &&
    model.use_extra_bufts &&
    context.n_ctx === 512 &&
    context.n_batch === 2048 &&
    context.offload_kqv;
  if (fits) return;
  const message = `libllama's default parameters read n_ctx ${context.n_ctx} and n_batch ${context.n_batch} where 512 and 2048 were expected: its structures differ from those of llama.cpp v0.5.0.`;
  throw new RhoneError("GGML_VERSION_MISMATCH", message);
}
