import koffi from "koffi";
import type { Pointer } from "../bindings/pointer.js";

type SetLog = (callback: Pointer | null, data: Pointer | null) => void;
const LOG_CALLBACK = koffi.pointer(koffi.proto("void", ["int", "str", "void *"]));
const LEVEL_WARN = 3;
const LEVEL_ERROR = 4;

/**
 * Where ggml and libllama write. Silent, except while `capture` runs: native threads may log at any time, and a JavaScript
 * callback is safe only for calls made by the thread that runs JavaScript.
 */
export class NativeLog {
  readonly #set: SetLog;
  readonly #silence: Pointer;

  /** `silence`: a C function without arguments or effect; surplus arguments are ignored in every C calling convention used here. */
  constructor(set: SetLog, silence: Pointer) {
    this.#set = set;
    this.#silence = silence;
    set(silence, null);
  }

  /** Runs a blocking native call and returns its warnings and errors beside its result. */
  capture<T>(run: () => T): { readonly result: T; readonly complaints: string } {
    const lines: string[] = [];
    const keep = (level: number, text: string) => {
      if (level === LEVEL_WARN || level === LEVEL_ERROR) lines.push(text.trim());
    };
    const callback = koffi.register(keep, LOG_CALLBACK) as Pointer;
    this.#set(callback, null);
    try {
      return { result: run(), complaints: lines.join("; ") };
    } finally {
      this.#set(this.#silence, null);
      koffi.unregister(callback);
    }
  }
}
