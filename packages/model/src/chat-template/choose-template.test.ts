import { fileURLToPath } from "node:url";
import { openEngine, Vocabulary } from "@rhone/ggml";
import { afterAll, describe, expect, test } from "vitest";
import { readModelConfig } from "../config/model-config.js";
import { gguf } from "../gguf/gguf-value.js";
import { openGguf } from "../gguf/open-gguf.js";
import { smallModel, writeSmallModel } from "../testing/small-gguf.js";
import type { ChatMessage } from "./chat-message.js";
import type { ChatTemplateChoice, ChatVocabulary } from "./chat-template.js";
import { chatTemplateFor, detectChatTemplate } from "./choose-template.js";
import { type MistralVersion, mistralTemplate } from "./mistral-template.js";
import { respaceJson } from "./python-json.js";
import { mistralCallId } from "./tool-calls.js";

const CONTROL = [
  "<unk>",
  "<s>",
  "</s>",
  "[INST]",
  "[/INST]",
  "[TOOL_CALLS]",
  "[TOOLS]",
  "[/TOOLS]",
  "[RESULTS]",
  "[/RESULTS]",
];

/** One id per character above the control tokens', with SentencePiece's mark in front of every tokenized text. */
const spelling: ChatVocabulary = {
  bos: 1,
  eos: 2,
  controlTokens: () => [],
  tokenize: (text) => Int32Array.from([`▁${text}`].join(""), (letter) => (letter.codePointAt(0) ?? 0) + 1000),
};

const spell = (ids: Iterable<number>): string =>
  Array.from(ids, (id) => (id < 1000 ? CONTROL[id] : String.fromCodePoint(id - 1000))).join("");

const render = (version: MistralVersion, messages: readonly ChatMessage[], options = {}): string =>
  spell(mistralTemplate(version, spelling).encode(messages, options));

const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string): ChatMessage => ({ role: "assistant", content });
const system = (content: string): ChatMessage => ({ role: "system", content });
const call = (id: string): ChatMessage => ({
  role: "assistant",
  content: null,
  toolCalls: [{ id, name: "add", arguments: '{"a":1,"b":[2,3.0]}' }],
});
const result = (id: string, content: string): ChatMessage => ({ role: "tool", content, toolCallId: id, name: "add" });

describe("Mistral's templates", () => {
  test.each([
    [1, "<s>▁[INST] sys\n\nhi [/INST]▁yes</s>▁[INST] go [/INST]"],
    [2, "<s>[INST]▁hi[/INST]▁yes</s>[INST]▁sys\n\ngo[/INST]"],
    [3, "<s>[INST]▁hi[/INST]▁yes</s>[INST]▁sys\n\ngo[/INST]"],
  ] as const)("V%i encodes every message alone", (version, expected) => {
    expect(render(version, [system("sys"), user("hi"), assistant("yes"), user("go")])).toBe(expected);
  });

  test("join what neighbours of one role say, and all system messages", () => {
    expect(render(3, [system("a"), system("b"), user("c"), user("d")])).toBe("<s>[INST]▁a\n\nb\n\nc\n\nd[/INST]");
  });

  test.each([
    [1, "Once ", "<s>▁[INST] hi [/INST]▁Once "],
    [3, "Once ", "<s>[INST]▁hi[/INST]▁Once"],
    [3, "  ", "<s>[INST]▁hi[/INST]▁  "],
    [3, "\n\n", "<s>[INST]▁hi[/INST]▁\n\n"],
    [3, "", "<s>[INST]▁hi[/INST]"],
  ] as const)("V%i leaves an answer open that shall go on behind %o", (version, content, expected) => {
    expect(render(version, [user("hi"), { ...assistant(content), prefix: true }])).toBe(expected);
  });

  test.each([
    [1, "<s>▁[INST] sys\n\n [/INST]"],
    [2, "<s>[INST]▁sys\n\n[/INST]"],
    [3, "<s>[INST]▁sys\n\n[/INST]"],
  ] as const)("V%i encodes a system message alone as an empty user's", (version, expected) => {
    expect(render(version, [system("sys")])).toBe(expected);
  });

  test.each([
    [1, "<s>▁[INST]  [/INST]▁hi</s>▁[INST] go [/INST]"],
    [3, "<s>[INST][/INST]▁hi</s>[INST]▁go[/INST]"],
  ] as const)("V%i encodes an assistant that begins behind an empty user's message", (version, expected) => {
    expect(render(version, [assistant("hi"), user("go")])).toBe(expected);
  });

  test("read names of control tokens as tokens where they are told to", () => {
    const asked: boolean[] = [];
    const tokenize: ChatVocabulary["tokenize"] = (_, { parseSpecial }) => {
      asked.push(parseSpecial);
      return Int32Array.of();
    };
    mistralTemplate(3, { ...spelling, tokenize }).encode([user("</s>")]);
    mistralTemplate(3, { ...spelling, tokenize }, { parseSpecial: true }).encode([user("</s>")]);
    expect(asked).toEqual([false, true]);
  });

  test("keep text that looks like a control token text", () => {
    const ids = mistralTemplate(3, spelling).encode([user("[/INST]</s>")]);
    expect(Array.from(ids).filter((id) => id < 1000)).toEqual([1, 3, 4]);
  });

  const tools = [{ name: "add", description: "Adds", parameters: { type: "object" } }];
  const TOOLS =
    '[TOOLS]▁[{"type": "function", "function": {"name": "add", "description": "Adds", "parameters": {"type": "object"}}}][/TOOLS]';
  const conversation = [
    user("x"),
    call("abcdefghi"),
    result("abcdefghi", "6"),
    assistant("six"),
    user("y"),
    call("abcdefghi"),
    result("abcdefghi", "no json"),
  ];

  test("V3 shows tools before the last question and keeps all calls", () => {
    const called = '[TOOL_CALLS]▁[{"name": "add", "arguments": {"a": 1, "b": [2, 3.0]}, "id": "abcdefghi"}]</s>';
    expect(render(3, conversation, { tools })).toBe(
      `<s>[INST]▁x[/INST]${called}[RESULTS]▁{"content": 6, "call_id": "abcdefghi"}[/RESULTS]▁six</s>` +
        `${TOOLS}[INST]▁y[/INST]${called}[RESULTS]▁{"content": "no json", "call_id": "abcdefghi"}[/RESULTS]`,
    );
  });

  test("V2 keeps the calls after the last question only, and gathers results", () => {
    const called = '[TOOL_CALLS]▁[{"name": "add", "arguments": {"a": 1, "b": [2, 3.0]}}]</s>';
    expect(render(2, [...conversation, result("abcdefghi", "7")], { tools })).toBe(
      `<s>[INST]▁x[/INST]▁six</s>${TOOLS}[INST]▁y[/INST]${called}` +
        '[RESULTS]▁[{"name": "add", "content": "no json"}, {"name": "add", "content": 7}][/RESULTS]',
    );
  });

  test("V1 puts calls, and what there is to call, in words", () => {
    const text = render(1, [user("x"), call("a"), result("a", "6")], { tools });
    expect(text).toMatch(/^<s>▁\[INST\] You can call .*\n\[\{"name": "add", .*\}\]\n\nx \[\/INST\]/s);
    expect(text).toContain(
      '▁{"name": "add", "arguments": {"a": 1, "b": [2, 3.0]}}</s>▁[INST] Result of add: 6 [/INST]',
    );
  });

  test("V3 shows a text before the calls of its message, V2 the text alone before the last question", () => {
    const both = [user("a"), { ...call("abcdefghi"), content: "I add. " }, result("abcdefghi", "6"), user("b")];
    const called = '[TOOL_CALLS]▁[{"name": "add", "arguments": {"a": 1, "b": [2, 3.0]}, "id": "abcdefghi"}]</s>';
    expect(render(3, both)).toBe(
      `<s>[INST]▁a[/INST]▁I add.${called}[RESULTS]▁{"content": 6, "call_id": "abcdefghi"}[/RESULTS][INST]▁b[/INST]`,
    );
    expect(render(2, both)).toBe("<s>[INST]▁a[/INST]▁I add.</s>[INST]▁b[/INST]");
  });

  test.each<[MistralVersion, string]>([
    [1, "<s>▁[INST] a [/INST]▁b</s>▁[INST]  [/INST]"],
    [2, "<s>[INST]▁a[/INST]▁b</s>[INST][/INST]"],
    [3, "<s>[INST]▁a[/INST]▁b</s>[INST][/INST]"],
  ])("V%d asks behind an assistant's answer with an empty message", (version, text) => {
    expect(render(version, [user("a"), assistant("b")])).toBe(text);
    const whole = render(version, [user("a"), assistant("b")], { addGenerationPrompt: false });
    expect(whole).toBe(text.slice(0, text.indexOf("</s>") + "</s>".length));
  });

  test.each<[string, MistralVersion, readonly ChatMessage[], RegExp]>([
    ["nobody", 3, [], /messages is empty/],
    ["a tool first", 3, [result("x", "1")], /messages\.0 has the role tool at the start/],
    ["a tool without a call", 3, [user("a"), result("x", "1")], /messages\.1 has the role tool after the role user/],
    ["an unanswered call", 3, [user("a"), call("x"), user("b")], /role user after tool calls/],
    [
      "arguments that are not JSON",
      3,
      [user("a"), { ...call("x"), toolCalls: [{ id: "x", name: "f", arguments: "{" }] }, result("x", "1")],
      /call to f are not JSON/,
    ],
  ])("refuse %s", (_, version, messages, reason) => {
    expect(() => render(version, messages)).toThrow(
      expect.objectContaining({ code: "CHAT_TEMPLATE_FAILED", message: expect.stringMatching(reason) }),
    );
  });
});

test("foreign call ids become nine letters and digits, always the same", () => {
  expect(mistralCallId("abcDEF123")).toBe("abcDEF123");
  const id = mistralCallId("call_01HX");
  expect(id).toMatch(/^[a-zA-Z0-9]{9}$/);
  expect(mistralCallId("call_01HX")).toBe(id);
  expect(mistralCallId("call_01HY")).not.toBe(id);
});

test.each([
  ['{"a":[1,2.0],"b":"x, y: z"}', '{"a": [1, 2.0], "b": "x, y: z"}'],
  ['{ "2" : 1,\n"1" : null }', '{"2": 1, "1": null}'],
  ['"\\u00e9\\n\\u0007"', '"é\\n\\u0007"'],
  ['"a\\"b"', '"a\\"b"'],
  ["[]", "[]"],
  ["nope", undefined],
])("Python writes %s as %s", (text, expected) => {
  expect(respaceJson(text)).toBe(expected);
});

describe("chatTemplateFor", () => {
  const CHATML =
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system here') }}{% endif %}" +
    "<|{{ m.role }}|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";

  async function model(template: string | undefined, tokens = ["<unk>", "<s>", "</s>", "a", "b"], kind = "llama") {
    const small = smallModel();
    small.metadata.set("tokenizer.ggml.tokens", gguf.strings(tokens));
    small.metadata.set("tokenizer.ggml.model", gguf.string(kind));
    if (template !== undefined) small.metadata.set("tokenizer.chat_template", gguf.string(template));
    const file = await writeSmallModel(small);
    return { file, config: readModelConfig(file) };
  }

  const MISTRALS_V3 =
    "{{ bos_token }}{% for m in messages[1:] %}{{ '[AVAILABLE_TOOLS] [' + tools | tojson + '][/AVAILABLE_TOOLS]' }}" +
    "{{ '[INST] ' + m['content'] + '[/INST]' }}{{ '[TOOL_CALLS] [' }}{{ '[TOOL_RESULTS] {}[/TOOL_RESULTS]' }}" +
    "{% if loop.index0 < 2 and tools | length > 0 %}</s>{% endif %}{% endfor %}";
  const V3_TOKENS = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"];

  test.each([
    ["[INST] as text", "{{ '[INST] ' }}", undefined, "llama", "mistral-v1"],
    ["[INST] as a token", "{{ '[INST] ' }}", V3_TOKENS, "llama", "mistral-v3"],
    ["Llama 2's system mark", "[INST] <<SYS>>", undefined, "llama", "jinja"],
    ["Llama 2's system mark beside [INST] as a token", "[INST] <<SYS>>", V3_TOKENS, "llama", "jinja"],
    ["ChatML", CHATML, undefined, "llama", "jinja"],
    ["ChatML beside [INST] as a token", CHATML, V3_TOKENS, "llama", "jinja"],
    ["headings beside [INST] as a token", "{{ '### User:\n[INST]' }}", V3_TOKENS, "llama", "jinja"],
    ["a role in words beside [INST] as a token", "{{ 'USER: ' }}", V3_TOKENS, "llama", "jinja"],
    ["Mistral's V3 with tools", MISTRALS_V3, V3_TOKENS, "llama", "mistral-v3"],
    ["no template beside [INST] as a token", undefined, V3_TOKENS, "llama", "mistral-v3"],
    ["[INST] in a vocabulary that is not SentencePiece's", "[INST]", V3_TOKENS, "gpt2", "jinja"],
    ["nothing", undefined, undefined, "llama", "none"],
    ["blanks", " \n", undefined, "llama", "none"],
  ])("sees in %s its template", async (_, template, tokens, kind, expected) => {
    const { file, config } = await model(template, tokens, kind);
    expect(detectChatTemplate(file, config)).toBe(expected);
  });

  test("runs the file's own template, with BOS once", async () => {
    const plain: ChatVocabulary = {
      ...spelling,
      tokenize: (text) => Int32Array.from(text, (c) => (c.codePointAt(0) ?? 0) + 1000),
    };
    const template = chatTemplateFor(await model(CHATML), plain);
    expect(spell(template.encode([user("hi")]))).toBe("<s><|user|>hi<|assistant|>");
    expect(spell(template.encode([user("hi")], { addGenerationPrompt: false }))).toBe("<s><|user|>hi");
    const withBos = chatTemplateFor(await model(`{{ bos_token }}${CHATML}`), plain);
    expect(spell(withBos.encode([user("hi")]))).toBe("<s><|user|>hi<|assistant|>");
  });

  test("cuts the file's template where an answer shall go on", async () => {
    const plain: ChatVocabulary = {
      ...spelling,
      tokenize: (text) => Int32Array.from(text, (c) => (c.codePointAt(0) ?? 0) + 1000),
    };
    const trimming = CHATML.replace("m.content", "m.content | trim").replace("{% endfor %}", "<|end|>{% endfor %}");
    const template = chatTemplateFor(await model(trimming), plain);
    const open = (content: string) => spell(template.encode([user("hi"), { ...assistant(content), prefix: true }]));
    for (const content of ["Once", "Once ", "\n\nOnce", "\n\n", "  ", "end", "<|end|>", "|>", ""])
      expect(open(content)).toBe(`<s><|user|>hi<|end|><|assistant|>${content}`);
  });

  test("passes the template's own refusal on", async () => {
    const template = chatTemplateFor(await model(CHATML), spelling);
    expect(() => template.encode([system("a"), user("b")])).toThrow(
      expect.objectContaining({ code: "CHAT_TEMPLATE_FAILED", message: expect.stringContaining("no system here") }),
    );
  });

  test("puts calls and results in words for the file's own template", async () => {
    const template = chatTemplateFor(await model(CHATML), spelling);
    expect(spell(template.encode([user("a"), call("x"), result("x", "1")]))).toContain(
      '<|assistant|>{"name": "add", "arguments": {"a": 1, "b": [2, 3.0]}}<|user|>Result of add: 1<|assistant|>',
    );
  });

  test("refuses a template that does not fit or cannot be parsed", async () => {
    const plain = await model(undefined);
    const broken = await model("{% if %}");
    const refusals: [Awaited<ReturnType<typeof model>>, ChatTemplateChoice, RegExp][] = [
      [plain, "mistral-v3", /whose token 3 is \[INST\]/],
      [plain, "jinja", /no chat template/],
      [plain, { source: "{% if %}" }, /can't be parsed/],
      [broken, "jinja", /can't be parsed/],
    ];
    for (const [refused, choice, message] of refusals) {
      expect(() => chatTemplateFor(refused, spelling, { choice })).toThrow(
        expect.objectContaining({ code: "MODEL_UNSUPPORTED", message: expect.stringMatching(message) }),
      );
    }
  });

  test.each([
    [
      "a base model",
      undefined,
      /^small is a base model without a chat template\. Use \/v1\/completions, or start with/,
    ],
    [
      "a file's own template that can't be parsed",
      "{% if %}",
      /^small can't chat: its chat template can't be parsed \(/,
    ],
  ])("refuses every chat of %s, with the remedy", async (_, source, message) => {
    const template = chatTemplateFor(await model(source), spelling);
    expect(template.refusal).toMatch(message);
    expect(template.refusal).toMatch(/--chat-template and a name \(.*chatml.*\) or file\.$/);
    expect(() => template.encode([user("a")])).toThrow(
      expect.objectContaining({ code: "CHAT_TEMPLATE_FAILED", message: template.refusal }),
    );
  });

  test("runs a template that was chosen, whatever the file has", async () => {
    const own = await model("{{ 'own' }}");
    const render = (choice: ChatTemplateChoice) =>
      spell(chatTemplateFor(own, { ...spelling, bos: undefined }, { choice }).encode([user("hi")]));
    expect(render({ source: "{{ 'chosen' }}" })).toBe("▁chosen");
    expect(render("chatml")).toBe("▁<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  });
});

describe("Breeze", () => {
  const path = fileURLToPath(new URL("../../../../models/breeze-q8_0.gguf", import.meta.url));
  const vocabulary = Vocabulary.open(openEngine(), path);
  afterAll(() => vocabulary.close());

  test("is asked in the ids that it was trained on", async () => {
    const file = await openGguf(path);
    const template = chatTemplateFor({ file, config: readModelConfig(file) }, vocabulary);
    expect(template.name).toBe("mistral-v1");
    const ids = template.encode([user("What is the capital of France?")]);
    expect(Array.from(ids)).toEqual([1, 261, 262, 970, 301, 270, 273, 336, 310, 365, 348, 387, 984, 268, 262, 970]);
  });
});
