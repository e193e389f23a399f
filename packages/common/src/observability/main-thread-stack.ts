import { Session } from "node:inspector";

const MOST_FRAMES = 12;

/** A call stack of the main thread. */
export interface StackSample {
  /** When it was taken, by the main thread's `performance.now()`. */
  readonly atMs: number;
  /** "tokenize text/model.js:41", innermost first. */
  readonly stack: readonly string[];
}

/**
 * The call stack of the main thread, taken from another thread, whose event loop something must keep going. The main
 * thread looks itself, wherever it is: Node's inspector has it evaluate an expression, for about a millisecond; one in
 * native code does when that returns to JavaScript. Opens no port. null: it could not look, as at the end of its stack.
 */
export function mainThreadStack(): Promise<StackSample | null> {
  const session = new Session();
  session.connectToMainThread();
  return new Promise((resolve) => {
    const expression = `(${lookAround.toString()})(${MOST_FRAMES})`;
    session.post("Runtime.evaluate", { expression, returnByValue: true }, (error, evaluated) => {
      session.disconnect(); // a process that exits would wait for it
      resolve(error === null && evaluated.exceptionDetails === undefined ? evaluated.result.value : null);
    });
  });
}

/** Runs in the main thread, from its own text: it may use nothing of this module. */
function lookAround(mostFrames: number): StackSample {
  const { stackTraceLimit, prepareStackTrace } = Error;
  /** Of this function, and of the expression that calls it. */
  const ownFrames = 2;
  Error.stackTraceLimit = mostFrames + ownFrames;
  Error.prepareStackTrace = (_, calls) =>
    calls.slice(ownFrames).map((call) => {
      const file = call.getFileName()?.split("/").slice(-2).join("/");
      return `${call.getFunctionName() ?? "(anonymous)"} ${file}:${call.getLineNumber()}`;
    });
  try {
    return { atMs: performance.now(), stack: new Error().stack as unknown as readonly string[] };
  } finally {
    Object.assign(Error, { stackTraceLimit, prepareStackTrace });
  }
}
