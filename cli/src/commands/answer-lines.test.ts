import { once } from "node:events";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { answerLines } from "./answer-lines.js";

const CTRL_C = "\x03";
const CTRL_D = "\x04";

/** A terminal at which `keys` are pressed, some of them while a line is answered. */
async function talk(keys: string, { during = "", first = undefined as string | undefined } = {}) {
  const input = new PassThrough();
  const source = {
    input,
    output: new PassThrough(),
    terminal: true,
    prompt: "> ",
    signal: new AbortController().signal,
    first,
  };
  const answered: string[] = [];
  const talked = answerLines(source, async (line, signal) => {
    const aborted = once(signal, "abort");
    const closed = once(input, "pause");
    if (answered.length === 0 && during !== "") {
      input.write(during);
      await Promise.race([aborted, closed]);
    }
    answered.push(signal.aborted ? `${line} (stopped)` : line);
  });
  input.write(keys);
  await talked;
  return { answered, paused: input.isPaused(), shown: String(source.output.read() ?? "") };
}

describe("answerLines", () => {
  it.each([
    ["/exit", "one\rtwo\r/exit\rthree\r"],
    ["Ctrl-D", `one\rtwo\r${CTRL_D}`],
    ["Ctrl-C at the prompt", "one\rtwo\r", CTRL_C],
  ])("ends at %s", async (_, keys, later = "") => {
    const { answered } = await talk(`${keys}${later}`);
    expect(answered).toEqual(["one", "two"]);
  });

  it("stops the answer that is being written at Ctrl-C, and reads on", async () => {
    const { answered } = await talk("one\r", { during: `${CTRL_C}two\r/exit\r` });
    expect(answered).toEqual(["one (stopped)", "two"]);
  });

  it("answers a line that is given first, as if it had been typed", async () => {
    const { answered, shown } = await talk("one\r/exit\r", { first: "zero" });
    expect(answered).toEqual(["zero", "one"]);
    expect(shown).toMatch(/^> zero\n/);
  });

  it("leaves the input alone after Ctrl-D during an answer, so that the process ends", async () => {
    const { answered, paused } = await talk("one\r", { during: CTRL_D });
    expect({ answered, paused }).toEqual({ answered: ["one"], paused: true });
  });
});
