import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratchFolder } from "../testing/scratch-folder.js";
import { isTemplateFile, readChatTemplate } from "./read-chat-template.js";

test.each(["mistral-v3", "chatml", "jinja", "none"])("%s is a template by name", (name) => {
  expect(readChatTemplate(name)).toBe(name);
  expect(isTemplateFile(name)).toBe(false);
});

test("a file is read and parsed", async () => {
  const path = join(await scratchFolder(), "my.jinja");
  await writeFile(path, "{{ messages[0].content }}");
  expect(readChatTemplate(path)).toEqual({ source: "{{ messages[0].content }}" });
  expect(isTemplateFile(path)).toBe(true);
});

test.each<[string, (folder: string) => Promise<string>, RegExp]>([
  ["an unknown name", async () => "mistral-v9", /^is neither a file nor one of mistral-v1, .*, none$/],
  ["a missing file", async (folder) => join(folder, "x.jinja"), /^is neither a file nor one of /],
  ["a folder", async (folder) => folder, /^is no file$/],
  [
    "a mistake",
    async (folder) => {
      await writeFile(join(folder, "a"), "{% for %}");
      return join(folder, "a");
    },
    /^can't be parsed as a Jinja template \(.+\)$/,
  ],
  [
    "a text without messages",
    async (folder) => {
      await writeFile(join(folder, "a"), "My notes on {{ bos_token }}.");
      return join(folder, "a");
    },
    /^never uses messages, so every chat would have the same prompt$/,
  ],
  [
    "another kind of file",
    async (folder) => {
      await writeFile(join(folder, "a"), "");
      await truncate(join(folder, "a"), 2 ** 30);
      return join(folder, "a");
    },
    /^has 1073741824 bytes; a template has at most 1048576$/,
  ],
])("%s is refused with the reason", async (_, make, problem) => {
  expect(readChatTemplate(await make(await scratchFolder()))).toEqual({ problem: expect.stringMatching(problem) });
});
