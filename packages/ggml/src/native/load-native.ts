import { RhoneError } from "@rhone/common/rhone-error";
import type { LibraryHandle } from "koffi";
import { type AllocBindings, bindAlloc } from "../bindings/alloc.js";
import { type BackendBindings, bindBackend, bindRegistry, type RegistryBindings } from "../bindings/backend.js";
import { bindGgml, type GgmlBindings, TENSOR_LAYOUT } from "../bindings/ggml.js";
import { bindKernels, KERNELS_ABI, type KernelBindings } from "../bindings/kernels.js";
import { bindLlama, type LlamaBindings } from "../bindings/llama.js";
import { type Declare, declareIn } from "../bindings/native-function.js";
import type { Pointer } from "../bindings/pointer.js";
import type { LibraryFiles } from "./find-libraries.js";
import { MAIN_PACKAGES, NEWEST_GGML, thisPlatform } from "./main-packages.js";
import { NativeLog } from "./native-log.js";
import { openLibrary } from "./open-library.js";

/** The release in this platform's package. */
const PINNED = MAIN_PACKAGES[thisPlatform()]?.ggml ?? NEWEST_GGML;
const minorOf = (version: string): string => version.split(".").slice(0, 2).join(".");
const MINORS = [...new Set(Object.values(MAIN_PACKAGES).map(({ ggml }) => minorOf(ggml)))];
/** Size of `struct ggml_object`, which precedes each tensor in a ggml context. */
const OBJECT_HEADER_BYTES = 32;

/** Every native function, grouped by header. */
export interface NativeEngine {
  readonly ggml: GgmlBindings;
  readonly alloc: AllocBindings;
  readonly backend: BackendBindings;
  readonly registry: RegistryBindings;
  readonly log: NativeLog;
  /** libllama, loaded at the first call. */
  readonly llama: () => LlamaBindings;
  /** Loads Rhone's kernels and shows them where ggml's custom operations are made. Throws KERNELS_UNAVAILABLE. */
  readonly loadKernels: (file: string) => KernelBindings;
  readonly devicePointers: () => Pointer[];
}

/** Throws GGML_LIBRARY_MISSING for a file that can't be loaded, GGML_VERSION_MISMATCH for another release of ggml. */
export function loadNative(files: LibraryFiles): NativeEngine {
  const base = loadLibrary(files.base);
  const registryLibrary = loadLibrary(files.registry);
  const ggml = bindChecked(files.base, base, bindGgml);
  checkVersion(ggml, files.pinned);
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
    backend: bindChecked(files.base, base, bindBackend),
    registry,
    log,
    llama: () => {
      llama ??= loadLlama(files.llama, silence);
      return llama;
    },
    loadKernels: (file) => loadKernels(file, base),
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

function loadKernels(file: string, base: LibraryHandle): KernelBindings {
  try {
    const kernels = bindKernels(declareIn(openLibrary(file)));
    const abi = kernels.abi();
    if (abi !== KERNELS_ABI) throw new Error(`its interface is version ${abi}, not ${KERNELS_ABI}`);
    kernels.bind(base.symbol("ggml_custom_4d") as Pointer, base.symbol("ggml_view_2d") as Pointer);
    return kernels;
  } catch (cause) {
    const message = `${file} can't be used: ${reasonOf(cause)}. Compile it again with \`npm run build:kernels\`.`;
    throw new RhoneError("KERNELS_UNAVAILABLE", message, { cause });
  }
}

function loadLibrary(file: string): LibraryHandle {
  try {
    return openLibrary(file, { global: true });
  } catch (cause) {
    throw new RhoneError("GGML_LIBRARY_MISSING", `${file} exists but can't be loaded: ${reasonOf(cause)}`, { cause });
  }
}

function bindChecked<T>(file: string, library: LibraryHandle, bind: (declare: Declare) => T): T {
  try {
    return bind(declareIn(library));
  } catch (cause) {
    const message = `${file} is not from the ggml ${PINNED} that Rhone needs: ${reasonOf(cause)}`;
    throw new RhoneError("GGML_VERSION_MISMATCH", message, { cause });
  }
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

/**
 * Throws GGML_VERSION_MISMATCH unless the library has the version of this platform's package, or for another build the
 * major and minor version of any package.
 */
export function checkVersion(ggml: Pick<GgmlBindings, "version" | "commit" | "tensorOverhead">, pinned: boolean): void {
  const found = ggml.version();
  const needed = pinned ? [PINNED] : MINORS.map((minor) => `${minor}.x`);
  const matches = needed.includes(pinned ? found : `${minorOf(found)}.x`);
  const [bytes, expectedBytes] = [ggml.tensorOverhead(), TENSOR_LAYOUT.size + OBJECT_HEADER_BYTES];
  if (matches && bytes === expectedBytes) return;
  const message =
    `Found ggml ${found} (commit ${ggml.commit()}, ${bytes} bytes per tensor), but Rhone needs ${needed.join(" or ")} ` +
    `(${expectedBytes} bytes). Reinstall with \`npm ci\`, or build llama.cpp v0.5.0.`;
  throw new RhoneError("GGML_VERSION_MISMATCH", message);
}

/**
 * Structures passed by value carry no version: their known defaults show whether the library's layout is the bindings'.
 */
export function checkLlamaLayout(llama: Pick<LlamaBindings, "modelDefaultParams" | "contextDefaultParams">): void {
  const model = llama.modelDefaultParams();
  const context = llama.contextDefaultParams();
  const fits =
    !model.vocab_only &&
    model.use_extra_bufts &&
    context.n_ctx === 512 &&
    context.n_batch === 2048 &&
    context.offload_kqv;
  if (fits) return;
  const message =
    `libllama's default parameters read n_ctx ${context.n_ctx} and n_batch ${context.n_batch}, but 512 and 2048 were ` +
    "expected: its structures differ from those of llama.cpp v0.5.0. Build that version.";
  throw new RhoneError("GGML_VERSION_MISMATCH", message);
}
