import { RhoneError } from "@rhone/common/rhone-error";
import { native } from "../bindings/pointer.js";
import { type DeviceInfo, describeDevice, findDevice } from "./device.js";
import { findLibraries, type LibraryFiles } from "./find-libraries.js";
import { loadNative, type NativeEngine } from "./load-native.js";

export interface EngineOptions {
  /** Folder with the shared libraries of another build of llama.cpp; this platform's prebuilt package when absent. */
  readonly dir?: string;
}

/** ggml, loaded into this process. It lives as long as the process: native libraries are never unloaded. */
export class Engine {
  readonly version: string;
  /** The folder that the libraries were loaded from. */
  readonly dir: string;
  readonly [native]: NativeEngine;

  /** @internal Comes from `openEngine`. */
  constructor(files: LibraryFiles) {
    this[native] = loadNative(files);
    this.version = this[native].ggml.version();
    this.dir = files.dir;
  }

  /**
   * The devices that ggml reports, in its order; "CPU" is always among them. Each call reads their free memory again.
   */
  devices(): readonly DeviceInfo[] {
    const { backend, devicePointers } = this[native];
    return devicePointers().map((device) => describeDevice(backend, device));
  }

  /** Throws DEVICE_NOT_FOUND with the names of the devices unless one is called `name`, in any case. Starts none. */
  checkDevice(name: string): void {
    findDevice(this[native], name);
  }
}

let opened: Engine | undefined;

/**
 * Loads the libraries, once per process: a second call returns the same engine.
 * Throws GGML_LIBRARY_MISSING (names the package to install), GGML_VERSION_MISMATCH (found and expected version), and
 * GGML_FAILED when asked for another folder than the one already loaded.
 */
export function openEngine(options: EngineOptions = {}): Engine {
  if (opened === undefined) opened = new Engine(findLibraries(options.dir));
  if (options.dir === undefined || options.dir === opened.dir) return opened;
  const message =
    `ggml is already loaded from ${opened.dir}; a process can't load it from ${options.dir} as well. ` +
    "Start another process for that.";
  throw new RhoneError("GGML_FAILED", message);
}
