import koffi from "koffi";
import type { Pointer } from "../bindings/pointer.js";

type SetLog = (callback: Pointer | null, data: Pointer | null) => void;
const LOG_CALLBACK = koffi.pointer(koffi.proto("void", ["int", "str", "void *"]));
const LEVEL_WARN = 3;
const LEVEL_ERROR = 4;

/**
 * The log of ggml and libllama. Silent except while `capture` runs: native threads may log at any time, but only the
 * thread that runs JavaScript may call back into it.
 */
export class NativeLog {
  readonly #set: SetLog;
  readonly #silence: Pointer;

  /** `silence`: a C function without arguments or effect. C calling conventions ignore the arguments it is given. */
  constructor(set: SetLog, silence: Pointer) {
    this.#set = set;
    this.#silence = silence;
    set(silence, null);
  }

  /** Runs a blocking native call and returns its result with the warnings and errors it logged. */
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
