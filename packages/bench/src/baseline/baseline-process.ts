import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type ErrorCode, RhoneError } from "@rhone/common";
import type { BaselineFigures, BaselineRequest } from "./measure-baseline.js";

/** libllama's `kv_unified`: one K/V buffer for all sequences, or one each. */
const LAYOUTS = { faster: [true, false], unified: [true], split: [false] } as const;
export type BaselineLayout = keyof typeof LAYOUTS;
export const BASELINE_LAYOUTS = Object.keys(LAYOUTS) as BaselineLayout[];

/** How the process is started: one JSON argument. */
export interface BaselineStart {
  readonly modelPath: string;
  readonly ggmlDir: string | undefined;
}

/** Its answer to a BaselineRequest. */
export type BaselineAnswer =
  | { readonly kind: "measured"; readonly figures: BaselineFigures }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };

const ENTRY = fileURLToPath(new URL("./baseline-main.js", import.meta.url));

/** llama.cpp's own engine over the same file, in a child process that sleeps between requests. */
export class BaselineProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("error", () => {}); // `once` below rejects with it
    this.#ended = once(child, "exit").then(([code, signal]) => {
      throw new RhoneError("INTERNAL", `llama.cpp's process ended (${signal ?? `exit code ${code}`}).`);
    });
    this.#ended.catch(() => {}); // `#ask` rejects with it
  }

  /** `signal` kills it. `entry`: the JavaScript file of the child. */
  static start(start: BaselineStart, signal: AbortSignal, entry = ENTRY): BaselineProcess {
    const child = fork(entry, [JSON.stringify(start)], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      signal,
      killSignal: "SIGKILL", // SIGTERM would wait for the end of a native call
    });
    return new BaselineProcess(child);
  }

  /** Measures with the given K/V layout, or with both and returns the faster in decoding. Throws libllama's errors. */
  async measure(request: Omit<BaselineRequest, "kvUnified">, layout: BaselineLayout): Promise<BaselineFigures> {
    const layouts = request.sequences === 1 ? [true] : LAYOUTS[layout];
    const measured: BaselineFigures[] = [];
    for (const kvUnified of layouts) measured.push(await this.#ask({ ...request, kvUnified }));
    return measured.reduce((best, one) => (one.decodeTokensPerSecond > best.decodeTokensPerSecond ? one : best));
  }

  async close(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended.catch(() => {});
  }

  async #ask(request: BaselineRequest): Promise<BaselineFigures> {
    const answered = once(this.#child, "message");
    this.#child.send(request);
    const [answer] = (await Promise.race([answered, this.#ended])) as [BaselineAnswer];
    if (answer.kind === "measured") return answer.figures;
    throw new RhoneError(answer.code, `llama.cpp: ${answer.message}`);
  }
}
