import { CommanderError } from "commander";
import { describe, expect, it } from "vitest";
import { createProgram } from "./program.js";
import { runCommand } from "./testing/run-command.js";

describe("help", () => {
  it("lists every command, the exit codes and the environment", async () => {
    const { stdout, error } = await runCommand("--help");
    expect(error).toMatchObject({ exitCode: 0 });
    for (const { name } of createProgram(new AbortController().signal).commands.map((each) => ({
      name: each.name(),
    }))) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, "m"));
    }
    expect(stdout).toMatch(/Exit codes: +0 success, 1 failure, 2 wrong usage or settings, 3 no cluster is running/);
    expect(stdout).toMatch(/4 some lines of a batch failed, 130 interrupted/);
    expect(stdout).toContain("RHONE_HOME");
  });

  it("describes every option of every command", () => {
    const undescribed: string[] = [];
    const visit = (command: ReturnType<typeof createProgram>): void => {
      for (const { long, description } of command.options)
        if (description === "") undescribed.push(`${command.name()} ${long}`);
      for (const each of command.commands) {
        if (each.description() === "") undescribed.push(each.name());
        visit(each);
      }
    };
    visit(createProgram(new AbortController().signal));
    expect(undescribed).toEqual([]);
  });
});

it("no line of any help is wider than 100 columns", async () => {
  const paths: (readonly string[])[] = [];
  const visit = (command: ReturnType<typeof createProgram>, path: readonly string[]): void => {
    paths.push(path);
    for (const each of command.commands) visit(each, [...path, each.name()]);
  };
  visit(createProgram(new AbortController().signal), []);
  const wide: string[] = [];
  for (const path of paths) {
    const { stdout } = await runCommand(...path, "--help");
    wide.push(...stdout.split("\n").filter((line) => line.length > 100));
  }
  expect(wide).toEqual([]);
});

it.each(["up", "plan"])("%s NAME says how a model is named", async (command) => {
  const { stderr } = await runCommand(command, "mistral-7b-instruct-v0.3");
  expect(stderr).toMatch(/^error: too many arguments for .*\n\(Name a model with --model\.\)\n/);
});

describe("the help of a command", () => {
  it.each([
    [["help", "bench", "sweep"], "rhone bench sweep [options]"],
    [["bench", "help", "sweep"], "rhone bench sweep [options]"],
    [["bench", "sweep", "--help"], "rhone bench sweep [options]"],
    [["help", "model", "list"], "rhone model ls|list [options]"],
    [["help", "generate", "nosuch"], "rhone generate [options] [prompt...]"],
    [["help", "bench"], "rhone bench [options] [command]"],
    [["help"], "rhone [options] [command]"],
  ])("%j", async (args, usage) => {
    const { stdout, error } = await runCommand(...args);
    expect(stdout.split("\n")[0]).toBe(`Usage: ${usage}`);
    expect(error).toMatchObject({ exitCode: 0 });
  });

  it.each([
    [["help", "nosuch"], "nosuch", ""],
    [["help", "stauts"], "stauts", "(Did you mean status?)"],
    [["stauts", "--help"], "stauts", "(Did you mean status?)"],
    [["help", "bench", "swep"], "swep", "(Did you mean sweep?)"],
    [["bench", "swep", "--help"], "swep", "(Did you mean sweep?)"],
    [["batch", "help", "submt"], "submt", "(Did you mean submit?)"],
  ])("%j fails and names the nearest command", async (args, name, nearest) => {
    const { stdout, stderr, error } = await runCommand(...args);
    expect(error).toMatchObject({ code: "commander.unknownCommand", exitCode: 1 });
    expect(stdout).toBe("");
    expect(stderr.split("\n").filter((line) => line !== "")).toEqual([
      `error: unknown command '${name}'`,
      ...(nearest === "" ? [] : [nearest]),
      "Add --help for usage.",
    ]);
  });
});

describe("wrong usage", () => {
  it.each([
    ["an unknown command", ["serve"], "commander.unknownCommand"],
    ["an unknown flag", ["model", "ls", "--all"], "commander.unknownOption"],
    ["a missing argument", ["model", "pull"], "commander.missingArgument"],
    ["a missing flag", ["model", "synth", "--preset", "tiny"], "commander.missingMandatoryOptionValue"],
    ["a bad number", ["model", "synth", "-p", "tiny", "-o", "x", "--layers", "0"], "commander.invalidArgument"],
    ["a port out of range", ["up", "--port", "70000"], "commander.invalidArgument"],
    ["memory in words", ["up", "--memory", "lots"], "commander.invalidArgument"],
    ["a K/V type that is none", ["up", "--kv-type", "q2"], "commander.invalidArgument"],
    ["more drafts than a step takes", ["up", "--speculate", "33"], "commander.invalidArgument"],
    ["a gap that is none", ["up", "--target-itl", "fast"], "commander.invalidArgument"],
    ["a temperature above 2", ["generate", "-t", "2.1"], "commander.invalidArgument"],
    ["four numbers of streams", ["plan", "--concurrency", "1,2,3,4"], "commander.invalidArgument"],
    ["a scenario's bad count", ["bench", "sweep", "-c", "1,x"], "commander.invalidArgument"],
    ["a layout that is none", ["bench", "sweep", "--baseline-kv", "both"], "commander.invalidArgument"],
    ["a key without a name", ["keys", "create"], "commander.missingArgument"],
    ["a key's name with blanks", ["keys", "create", "a b"], "commander.invalidArgument"],
    ["a limit that is none", ["keys", "create", "a", "--rpm", "-1"], "commander.invalidArgument"],
    ["a gateway without http://", ["status", "--url", "localhost:8080"], "commander.invalidArgument"],
    ["a gateway that is no URL", ["chat", "--url", "http://a b"], "commander.invalidArgument"],
    ["a Redis that is no URL", ["keys", "list", "--redis-url", "localhost"], "commander.invalidArgument"],
    ["a file in no folder", ["batch", "download", "x", "-o", "/nowhere/out.jsonl"], "commander.invalidArgument"],
    ["a file that is a folder", ["model", "synth", "-p", "tiny", "-o", "/tmp"], "commander.invalidArgument"],
    ["a mode of auth that is none", ["up", "--auth", "maybe"], "commander.invalidArgument"],
  ])("%s: an error and one line about help", async (_, args, code) => {
    const { stderr, error } = await runCommand(...args);
    expect(error).toBeInstanceOf(CommanderError);
    expect(error).toMatchObject({ code });
    const [message, ...rest] = stderr.trimEnd().split("\n");
    expect(message).toMatch(/^error: /);
    expect(rest.at(-1)).toBe("Add --help for usage.");
    expect(rest.length).toBeLessThanOrEqual(2);
  });
});
