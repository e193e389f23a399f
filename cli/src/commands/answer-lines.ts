import { createInterface } from "node:readline";

export interface LineSource {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  /** Whether a person types the lines. */
  readonly terminal: boolean;
  readonly prompt: string;
  readonly signal: AbortSignal;
}

/**
 * Answers one line after another, until the input ends, /exit, or Ctrl-C at the prompt. Ctrl-C during an answer aborts
 * that answer's signal, and the next line is read. Throws what `answer` throws.
 */
export async function answerLines(
  { signal, ...source }: LineSource,
  answer: (line: string, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const lines = createInterface(source);
  let running: AbortController | undefined;
  let closed = false;
  lines.once("close", () => {
    closed = true;
  });
  lines.on("SIGINT", () => (running === undefined ? lines.close() : running.abort()));
  signal.addEventListener("abort", () => lines.close(), { once: true });
  lines.prompt();
  for await (const line of lines) {
    if (line.trim() === "/exit") break;
    running = new AbortController();
    await answer(line, AbortSignal.any([signal, running.signal]));
    running = undefined;
    // A prompt after Ctrl-D would read the input again and keep the process alive.
    if (!closed) lines.prompt();
  }
  lines.close();
}
