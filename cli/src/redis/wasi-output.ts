/** The function of WASI by which a program writes to a file descriptor; it returns an error number. */
type FdWrite = (fd: number, parts: number, count: number, written: number) => number;

interface Imports {
  readonly wasi_snapshot_preview1: { readonly fd_write: FdWrite };
}

interface Instance {
  readonly exports: { readonly memory: { readonly buffer: ArrayBuffer } };
}

/** The types of Node's WebAssembly come with the browser's, which are not loaded. */
const wasm = WebAssembly as unknown as { instantiate(module: object, imports: Imports): Promise<Instance> };

const STDOUT = 1;
const STDERR = 2;

/**
 * Runs `start`, and gives `onLine` every line that the WebAssembly program which it starts prints, then and later. The
 * package of Valkey has no setting for its output, which WASI would write to this process's.
 */
export async function withWasiOutput<T>(onLine: (line: string) => void, start: () => Promise<T>): Promise<T> {
  const original = wasm.instantiate;
  const lines = new LineCutter(onLine);
  wasm.instantiate = async (module, imports) => {
    let memory: Instance["exports"]["memory"] | undefined;
    const { wasi_snapshot_preview1: wasi } = imports;
    const fd_write: FdWrite = (fd, parts, count, written) => {
      if (memory === undefined || (fd !== STDOUT && fd !== STDERR)) return wasi.fd_write(fd, parts, count, written);
      const view = new DataView(memory.buffer);
      let bytes = 0;
      for (let part = parts; part < parts + 8 * count; part += 8) {
        const length = view.getUint32(part + 4, true);
        lines.push(new Uint8Array(memory.buffer, view.getUint32(part, true), length));
        bytes += length;
      }
      view.setUint32(written, bytes, true);
      return 0;
    };
    const instance = await original(module, { ...imports, wasi_snapshot_preview1: { ...wasi, fd_write } });
    memory = instance.exports.memory;
    return instance;
  };
  try {
    return await start();
  } finally {
    wasm.instantiate = original;
  }
}

/** Cuts what is printed into lines. */
class LineCutter {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#onLine(line);
  }
}
