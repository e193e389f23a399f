import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { RhoneError } from "@rhone/common";
import type { BaselineAnswer, BaselineFigures, BaselineRequest, BaselineStart } from "./baseline-message.js";

/** libllama's `kv_unified`: one K/V buffer for all sequences, or one each. */
const LAYOUTS = { faster: [true, false], unified: [true], split: [false] } as const;
export type BaselineLayout = keyof typeof LAYOUTS;
export const BASELINE_LAYOUTS = Object.keys(LAYOUTS) as BaselineLayout[];

const ENTRY = fileURLToPath(new URL("./baseline-main.js", import.meta.url));

/** llama.cpp's own engine over the same file, in a child process. */
export class BaselineProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("error", () => {}); // `once` below rejects with it
    this.#ended = once(child, "exit").then(([code, signal]) => {
      throw new RhoneError("INTERNAL", `llama.cpp's process ended (${signal ?? `exit code ${code}`}).`);
    });
    this.#ended.catch(() => {}); // Whoever waits for an answer hears of it.
  }

  /** `signal` ends it at once. */
  static start(start: BaselineStart, signal: AbortSignal): BaselineProcess {
    const child = fork(ENTRY, [JSON.stringify(start)], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      signal,
      killSignal: "SIGKILL", // it may be in the midst of a native call
    });
    return new BaselineProcess(child);
  }

  /** In the K/V layout that is asked for, or the one that decodes faster. Throws what libllama throws. */
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
