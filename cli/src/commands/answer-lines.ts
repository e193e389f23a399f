import { createInterface } from "node:readline";

export interface LineSource {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  /** Whether a person types the lines. */
  readonly terminal: boolean;
  readonly prompt: string;
  readonly signal: AbortSignal;
  /** A line that is answered before the lines of the input. */
  readonly first?: string | undefined;
}

/**
 * Answers one line after another, until the input ends, /exit, or Ctrl-C at the prompt. Ctrl-C during an answer aborts
 * that answer's signal, and the next line is read. Throws what `answer` throws.
 */
export async function answerLines(
  { signal, first, ...source }: LineSource,
  answer: (line: string, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const lines = createInterface(source);
  // From now on, so that lines which arrive during the first answer are kept.
  const typed = lines[Symbol.asyncIterator]();
  let running: AbortController | undefined;
  let closed = false;
  lines.once("close", () => {
    closed = true;
  });
  lines.on("SIGINT", () => (running === undefined ? lines.close() : running.abort()));
  signal.addEventListener("abort", () => lines.close(), { once: true });
  const answerOne = async (line: string): Promise<void> => {
    running = new AbortController();
    await answer(line, AbortSignal.any([signal, running.signal]));
    running = undefined;
    // A prompt after Ctrl-D would read the input again and keep the process alive.
    if (!closed) lines.prompt();
  };
  if (first === undefined) lines.prompt();
  else {
    if (source.terminal) source.output.write(`${source.prompt}${first}\n`);
    await answerOne(first);
  }
  for await (const line of typed) {
    if (line.trim() === "/exit") break;
    await answerOne(line);
  }
  lines.close();
}
