import { type Debugger, Session } from "node:inspector";

const MOST_FRAMES = 12;

/**
 * The call stack of the main thread, taken from another thread through Node's inspector: "tokenize text/model.js:41",
 * innermost first. Opens no port. The main thread pauses for some 20 ms; nothing is slower before or afterwards. A main
 * thread in native code is paused when that returns to JavaScript. `onPause` is called while it is paused: what it
 * reads of the main thread belongs to the stack.
 */
export function mainThreadStack(onPause: () => void): Promise<readonly string[]> {
  const session = new Session();
  const files = new Map<string, string>();
  session.connectToMainThread();
  session.on("Debugger.scriptParsed", ({ params }) => files.set(params.scriptId, params.url));
  return new Promise((resolve) => {
    session.once("Debugger.paused", ({ params }) => {
      onPause();
      session.post("Debugger.resume");
      session.post("Debugger.disable");
      session.disconnect(); // a process that exits would wait for it
      resolve(params.callFrames.slice(0, MOST_FRAMES).map((frame) => describe(frame, files)));
    });
    session.post("Debugger.enable");
    session.post("Debugger.pause");
  });
}

function describe({ functionName, location }: Debugger.CallFrame, files: ReadonlyMap<string, string>): string {
  const file = files.get(location.scriptId)?.split("/").slice(-2).join("/");
  return `${functionName || "(anonymous)"} ${file}:${location.lineNumber + 1}`;
}
