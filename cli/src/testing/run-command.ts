import { vi } from "vitest";
import { createProgram } from "../program.js";
import { noteSignalListeners } from "./signal-listeners.js";

/** The output of a command, and the error with which it ended. */
export interface CommandRun {
  readonly stdout: string;
  readonly stderr: string;
  /** undefined for success. */
  readonly error: unknown;
}

/** Runs `rhone ARGS` in this process and captures its output. */
export async function runCommand(...args: readonly string[]): Promise<CommandRun> {
  const output = { stdout: "", stderr: "" };
  const to = (stream: keyof typeof output, end: string) => (text: unknown) => {
    output[stream] += `${String(text)}${end}`;
    return true;
  };
  const removeListeners = noteSignalListeners();
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation(to("stdout", "")),
    vi.spyOn(process.stderr, "write").mockImplementation(to("stderr", "")),
    vi.spyOn(console, "log").mockImplementation(to("stdout", "\n")),
    vi.spyOn(console, "error").mockImplementation(to("stderr", "\n")),
  ];
  try {
    await createProgram(new AbortController().signal).parseAsync([...args], { from: "user" });
    return { ...output, error: undefined };
  } catch (error) {
    return { ...output, error };
  } finally {
    for (const spy of spies) spy.mockRestore();
    removeListeners();
  }
}
