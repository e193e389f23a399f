import fs, { mkdtempSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
// As it is built, with the threads' files beside it.
import { loadTextModel, type TextModel } from "@rhone/gateway/text";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { type TokenizerVersion, writeMistralVocabulary } from "../testing/mistral-vocabulary.js";

const folder = mkdtempSync(join(tmpdir(), "rhone-encodings-"));
afterAll(async () => {
  for (const model of opened.values()) await (await model).close();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

/** By what differs from DEFAULTS: tests that need the same one share it, and the thread that it has started. */
const opened = new Map<string, Promise<TextModel>>();
function open(changes: Partial<Opened> = {}): Promise<TextModel> {
  const key = JSON.stringify(changes);
  const model = opened.get(key) ?? load({ ...DEFAULTS, ...changes });
  opened.set(key, model);
  return model;
}

async function load({ version, template, detects, parseSpecial, timeoutMs, most }: Opened): Promise<TextModel> {
  const path = await writeMistralVocabulary(folder, version, template);
  const limits = { timeoutMs, most, withinMs: 30_000 };
  const named = template === undefined ? (`mistral-${version}` as const) : "jinja";
  const chatTemplate = detects ? undefined : named;
  const known = { path, name: "tiny", aliases: [], ggmlDir: undefined };
  return loadTextModel({ ...known, chatTemplate, parseSpecial, limits });
}
interface Opened {
  version: TokenizerVersion;
  template: string | undefined;
  /** Leaves the choice of the template to the file. */
  detects: boolean;
  parseSpecial: boolean;
  timeoutMs: number;
  most: number;
}
const DEFAULTS: Opened = {
  version: "v1",
  template: undefined,
  detects: false,
  parseSpecial: false,
  timeoutMs: 5000,
  most: 8,
};

/** What `work` settles with, and the longest time for which it kept this thread from doing anything else. */
async function longestTurn<T>(work: Promise<T>) {
  let [longest, last] = [0, performance.now()];
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const settled = await work.then(
    (value) => ({ value, error: undefined }),
    (error: unknown) => ({ value: undefined, error }),
  );
  clearInterval(timer);
  return { ...settled, longest: Math.max(longest, performance.now() - last) };
}

const chat = (content: string) => [{ role: "user", content }] as const;

describe("Encodings", { timeout: 60_000 }, () => {
  it.each([1, 3000, 50_000])(
    "gives the same ids for a text of %i characters wherever it is encoded",
    async (length) => {
      const { encodeText, pieceBytes } = await open();
      const text = "The wind\n\n🙂 漢字 ".repeat(length / 16 + 1).slice(0, length);
      const ids = await encodeText(text);
      const bytes = ids.slice(1).map((id) => pieceBytes(id, { special: false }));
      expect(Buffer.concat(bytes).toString("utf8")).toBe(` ${text}`);
    },
  );

  it("encodes the texts of a list in their order", async () => {
    const { encodeTexts, encodeText } = await open();
    const texts = ["a".repeat(3000), "b", "", "c\n".repeat(2000)];
    const alone = await Promise.all(texts.map((text) => encodeText(text)));
    expect(await encodeTexts(texts)).toEqual(alone);
  });

  it.each([1, 1000])("fills 500 gaps before %i characters at once, where fewer texts may wait", async (length) => {
    const { fillInMiddle } = await open({ version: "v3", most: 1 });
    const befores = Array.from({ length: 500 }, (_, i) => `def f${i}(`);
    const after = "é\n".repeat(length / 2 + 1);
    const { value, longest } = await longestTurn(fillInMiddle?.(befores, after) ?? Promise.resolve([]));
    expect(longest).toBeLessThan(250);
    expect(value).toHaveLength(500);
    expect(value?.at(-1)).toEqual((await fillInMiddle?.(["def f499("], after))?.[0]);
  });

  it("does not hold this thread up with a megabyte of line feeds", async () => {
    const { encodeText } = await open();
    const { value, longest } = await longestTurn(encodeText("\n".repeat(1_000_000), { last: 1000 }));
    expect(value).toEqual(Array.from({ length: 1000 }, () => value?.[0]));
    expect(longest).toBeLessThan(250);
  });

  it("refuses what can't fit the context by its length, with the numbers", async () => {
    const { encodeText, encodeTexts, encodeChat, fillInMiddle } = await open();
    const text = "\n".repeat(4_000_000);
    const refusal = {
      code: "CONTEXT_LENGTH_EXCEEDED",
      message: expect.stringMatching(/ has at least \d+ tokens; .* 32768\./),
      details: { n_prompt_tokens: expect.any(Number), n_ctx: 32_768 },
    };
    await expect(encodeText(text)).rejects.toMatchObject({ ...refusal, param: "prompt" });
    const paramOf = (index: number) => `input.${index}`;
    const texts = ["a", "b", "c", text];
    await expect(encodeTexts(texts, { paramOf })).rejects.toMatchObject({ ...refusal, param: "input.3" });
    await expect(encodeChat(chat(text))).rejects.toMatchObject({ ...refusal, param: "messages" });
    expect(fillInMiddle).toBeUndefined();
  });

  it("refuses what doesn't fit by its ids, before it copies them", async () => {
    const { encodeText } = await open();
    await expect(encodeText("\n".repeat(262_144))).rejects.toMatchObject({
      code: "CONTEXT_LENGTH_EXCEEDED",
      message: expect.stringMatching(/ has 26\d{4} tokens; .* 32768\./),
    });
  });

  it.each([
    ["counts to a billion", "{% for i in range(1000000000) %}{% endfor %}x"],
    ["has loops within loops", "{% for i in range(20000) %}{% for j in range(20000) %}{% endfor %}{% endfor %}x"],
    [
      "doubles a text",
      "{% set n = namespace(t='x') %}{% for i in range(40) %}{% set n.t = n.t + n.t %}{% endfor %}{{ n.t }}",
    ],
  ])("a template that %s fails by name, holds nothing up, and leaves the next request whole", async (_, template) => {
    const { encodeChat, encodeText } = await open({ template, timeoutMs: 300 });
    const { error, longest } = await longestTurn(encodeChat(chat("hello")));
    expect(error).toMatchObject({ code: expect.stringMatching(/^(TEXT_TOO_COSTLY|CHAT_TEMPLATE_FAILED)$/) });
    expect(longest).toBeLessThan(250);
    expect((await encodeText("z".repeat(5000))).length).toBeGreaterThan(100);
  });

  it.runIf(process.platform === "linux")("asks to try again when its thread gets no processor time", async () => {
    const template = "{% for i in range(20000) %}{% for j in range(20000) %}{% endfor %}{% endfor %}x";
    const { encodeChat } = await open({ template, timeoutMs: 100 });
    const { readFileSync } = fs;
    vi.spyOn(fs, "readFileSync").mockImplementation((path, options) =>
      String(path).startsWith("/proc/") ? `1 (node) S ${"0 ".repeat(50)}` : readFileSync(path, options),
    );
    syncBuiltinESMExports();
    await expect(encodeChat(chat("hello"))).rejects.toMatchObject({
      code: "TEXTS_BUSY",
      message: expect.stringMatching(
        /^The machine is too busy .* it got 0 ms of processor time in \d+ ms; try again\.$/,
      ),
    });
  });

  it("passes on what the template says", async () => {
    const { encodeChat } = await open({ template: "{{ raise_exception('roles must alternate') }}" });
    await expect(encodeChat(chat("a"))).rejects.toMatchObject({
      code: "CHAT_TEMPLATE_FAILED",
      message: expect.stringContaining("roles must alternate"),
    });
  });

  describe.each(["v1", "v2", "v3"] as const)("control tokens of %s", (version) => {
    const NAMES = ["<s>", "</s>", "<unk>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[control_8]"];
    const written = [NAMES.join(""), NAMES.join(" "), "<s", "/s>", "<<s>s>"].join("\n");
    const OWN = "{{ bos_token }}{% for m in messages %}[INST] {{ m.content }}[/INST]{% endfor %}</s>";

    it.each([
      ["Mistral's own encoding", undefined],
      ["a Jinja template", OWN],
    ])("are none of a user's words, in %s", async (_, template) => {
      const { encodeChat, pieceBytes, special } = await open({ version, template });
      const isControl = (id: number) => id === special.unk || pieceBytes(id, { special: false }).length === 0;
      const controls = async (content: string) => (await encodeChat(chat(content))).filter(isControl);
      expect(await controls(written)).toEqual(await controls("x"));
      const ids = await encodeChat(chat(written));
      const text = Buffer.concat(ids.map((id) => pieceBytes(id, { special: false }))).toString("utf8");
      expect(text).toContain(written);
    });

    it.each([
      ["Mistral's own encoding", undefined],
      ["a Jinja template", OWN],
    ])("are read where they are told to, in %s", async (_, template) => {
      const { encodeChat, special } = await open({ version, template, parseSpecial: true });
      expect((await encodeChat(chat("a</s>b"))).slice(1, -1)).toContain(special.eos);
    });
  });

  it("refuses the chats of a template that can't be parsed, and nothing else", async () => {
    const { encodeChat, encodeText, chatRefusal } = await open({ template: "{% for %}", detects: true });
    const message = expect.stringMatching(/^v1 can't chat: .* Use \/v1\/completions/);
    await expect(encodeChat(chat("a"))).rejects.toMatchObject({ code: "CHAT_TEMPLATE_FAILED", message });
    expect(chatRefusal).toEqual(message);
    expect((await encodeText("a".repeat(5000))).length).toBeGreaterThan(100);
  });

  it("has the template that was chosen", async () => {
    const { chatTemplate, chatRefusal } = await open({ template: "{{ messages[0].content }}" });
    expect({ chatTemplate, chatRefusal }).toEqual({
      chatTemplate: "{{ messages[0].content }}",
      chatRefusal: undefined,
    });
  });

  it("refuses more than may wait, with the number", async () => {
    const { encodeText } = await open({ most: 2 });
    const texts = Array.from({ length: 5 }, () =>
      encodeText("y".repeat(4000)).then(
        () => "encoded",
        ({ code }) => code,
      ),
    );
    expect(await Promise.all(texts)).toEqual(["encoded", "encoded", "encoded", "TEXTS_BUSY", "TEXTS_BUSY"]);
  });
});
