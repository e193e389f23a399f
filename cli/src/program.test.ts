import { describe, expect, it } from "vitest";
import { createProgram } from "./program.js";

function silentProgram() {
  const program = createProgram(new AbortController().signal);
  const visit = (command: typeof program): void => {
    command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
    for (const each of command.commands) visit(each);
  };
  visit(program);
  return program;
}

const run = (...args: string[]) => silentProgram().parseAsync(args, { from: "user" });

describe("wrong use", () => {
  it.each([
    ["an unknown command", ["serve"], "commander.unknownCommand"],
    ["an unknown flag", ["model", "ls", "--all"], "commander.unknownOption"],
    ["a missing argument", ["model", "pull"], "commander.missingArgument"],
    ["a missing flag", ["model", "synth", "--preset", "tiny"], "commander.missingMandatoryOptionValue"],
    ["a bad number", ["model", "synth", "-p", "tiny", "-o", "x", "--layers", "0"], "commander.invalidArgument"],
    ["a key without a name", ["keys", "create"], "commander.missingArgument"],
    ["a key's name with blanks", ["keys", "create", "a b"], "commander.invalidArgument"],
    ["a limit that is none", ["keys", "create", "a", "--rpm", "-1"], "commander.invalidArgument"],
    ["a mode of auth that is none", ["up", "--auth", "maybe"], "commander.invalidArgument"],
  ])("refuses %s", (_, args, code) => expect(run(...args)).rejects.toMatchObject({ code }));

  it("names the nearest models", () =>
    expect(run("model", "pull", "mistrl-7b-v0.1")).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      message: expect.stringContaining("mistral-7b"),
    }));
});
