import { RhoneError } from "../errors/rhone-error.js";
import { ComputeThread } from "../threads/compute-thread.js";
import { importBuilt } from "./import-built.js";

/** What a test's thread is asked: to run this function's body, which sees `state`, and `common` with the errors. */
type Body = string;

/**
 * A compute thread that runs a test's commands; it fails with TEXT_TOO_COSTLY or TEXTS_BUSY. `open`: the body of what
 * opens it.
 */
export function testThread(open: Body = ""): ComputeThread<Body, unknown> {
  const code = `
    ${importBuilt(["errors/rhone-error", "threads/serve-thread"])}
    await common.serveThread(async (state) => {
      ${open}
      return { obey: (body) => new Function("state", "common", body)(state, common) };
    });`;
  return new ComputeThread({
    module: new URL(`data:text/javascript,${encodeURIComponent(code)}`),
    data: { told: [] },
    failure: (why, cause) => new RhoneError("TEXT_TOO_COSTLY", why, { cause }),
    busy: (why) => new RhoneError("TEXTS_BUSY", why),
  });
}
