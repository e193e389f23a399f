import { describe, expect, test } from "vitest";
import type { ChatMessage, ChatOptions } from "./chat-message.js";
import { type JinjaTemplateOptions, jinjaTemplate } from "./jinja-template.js";

/** Ids are code points; BOS is 1. */
const vocabulary: JinjaTemplateOptions["vocabulary"] = {
  bos: 1,
  eos: 2,
  controlTokens: () => [],
  tokenize: (text) => Int32Array.from(text, (letter) => letter.codePointAt(0) ?? 0),
};

const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string, prefix = false): ChatMessage => ({ role: "assistant", content, prefix });

function render(
  source: string,
  messages: readonly ChatMessage[],
  options: ChatOptions & { addBos?: boolean } = {},
): string {
  const { addBos = false, ...chat } = options;
  const texts = { bosText: "<s>", eosText: "</s>" };
  const template = jinjaTemplate({ name: "jinja", source, vocabulary, ...texts, addBos });
  return Array.from(template.encode(messages, chat), (id) => (id === 1 ? "[BOS]" : String.fromCodePoint(id))).join("");
}

const EACH = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";

describe("a model's own template", () => {
  test("sees messages, special tokens and the generation mark", () => {
    const source = `{{ bos_token }}${EACH}{% if add_generation_prompt %}<go>{% endif %}{{ eos_token }}`;
    expect(render(source, [user("x")])).toBe("<s><user>x<go></s>");
    expect(render(source, [user("x")], { addGenerationPrompt: false })).toBe("<s><user>x</s>");
  });

  test("sees the caller's own variables, which cannot replace messages", () => {
    const options = { templateArguments: { mood: "kind", messages: [] } };
    expect(render(`${EACH}{{ mood }}`, [user("x")], options)).toBe("<user>xkind");
  });

  test("sees an empty text where a message has no content", () => {
    expect(render(EACH, [{ role: "user", content: null }])).toBe("<user>");
  });

  test.each([
    ["is put in front", EACH, true, "[BOS]<user>x"],
    ["is not put in front", EACH, false, "<user>x"],
    ["is not doubled", `{{ bos_token }}${EACH}`, true, "<s><user>x"],
  ])("BOS %s", (_, source, addBos, expected) => {
    expect(render(source, [user("x")], { addBos })).toBe(expected);
  });

  test.each([
    ["the user's words", "Once", "Once"],
    ["a part of the template's ending", "x", "end"],
    ["the template's whole ending", "x", "<end>"],
    ["one character of it", "x", "n"],
    ["blanks", "x", "  "],
    ["line breaks", "x", "\n\n"],
    ["a text between blanks", "x", " \nOnce\n "],
    ["nothing", "x", ""],
  ])("goes on right behind an answer that is %s", (_, asked, open) => {
    const ending = "{% if add_generation_prompt %}<assistant>{% endif %}";
    for (const content of ["m.content", "m.content | trim"]) {
      const source = `{% for m in messages %}<{{ m.role }}>{{ ${content} }}{% if not loop.last %}<end>{% endif %}{% endfor %}`;
      const closed = `${source}{% if messages[-1].role == 'assistant' %}<end>{% endif %}${ending}`;
      expect(render(closed, [user(asked), assistant(open, true)])).toBe(
        `<user>${asked}${open === "" ? "" : "<end>"}<assistant>${open}`,
      );
    }
  });

  test("goes on behind the last of two places where it writes an answer", () => {
    const source = `{{ messages[-1].content }}|${EACH}<end>`;
    expect(render(source, [user("x"), assistant("Once", true)])).toBe("Once|<user>x<assistant>Once");
  });

  test("goes on behind what it makes of an answer whose beginning it moves", () => {
    const source = "{% for m in messages %}<{{ m.role }}>{{ m.content.split('</think>')[-1] }}<end>{% endfor %}";
    const open = assistant("<think>Hm.</think>Once", true);
    expect(render(source, [user("x"), open])).toBe("<user>x<end><assistant>Once");
  });

  test("sees an assistant alone, or a system message alone", () => {
    expect(render(`${EACH}<end>`, [assistant("Once", true)])).toBe("<assistant>Once");
    expect(render(`${EACH}<end>`, [{ role: "system", content: "Be brief." }])).toBe("<system>Be brief.<end>");
  });

  test("that drops an answer cannot continue it", () => {
    const source = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}";
    expect(() => render(source, [user("x"), assistant("Once", true)])).toThrow(/is not in the rendered text/);
  });

  test("renders the functions of a conversation as text", () => {
    const text = render(EACH, [user("x")], { tools: [{ name: "now" }] });
    expect(text).toMatch(/^<system>You can call the functions below\..*\[\{"name": "now"\}\]<user>x$/s);
  });

  test.each([
    ["no messages", EACH, [], /messages is empty/],
    ["its own exception", "{{ raise_exception('roles must alternate') }}", [user("x")], /roles must alternate/],
    ["an unknown function", "{{ strftime('%Y') }}", [user("x")], /refused the messages/],
  ])("fails for %s with a reason", (_, source, messages, message) => {
    expect(() => render(source, messages)).toThrow(
      expect.objectContaining({ code: "CHAT_TEMPLATE_FAILED", message: expect.stringMatching(message) }),
    );
  });

  test("that cannot be parsed makes the model unsupported", () => {
    expect(() => render("{% for %}", [user("x")])).toThrow(expect.objectContaining({ code: "MODEL_UNSUPPORTED" }));
  });
});

describe("control tokens", () => {
  const NAMES = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|end|>"];
  const token = (name: string, index: number) => ({
    id: 0x10_0000 + index,
    name,
    takesBefore: false,
    takesAfter: false,
  });
  const withNames: JinjaTemplateOptions["vocabulary"] = { ...vocabulary, controlTokens: () => NAMES.map(token) };
  const CHATML = "{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content }}<|im_end|>{% endfor %}";

  /** Tokens as {name}, texts as they are. */
  function encode(source: string, messages: readonly ChatMessage[], options: ChatOptions & { parse?: boolean } = {}) {
    const { parse = false, ...chat } = options;
    const read: boolean[] = [];
    const tokenize: typeof vocabulary.tokenize = (text, how) => {
      read.push(how.parseSpecial);
      return vocabulary.tokenize(text, how);
    };
    const texts = { name: "jinja", bosText: "<s>", eosText: "</s>", addBos: false, parseSpecial: parse } as const;
    const template = jinjaTemplate({ ...texts, source, vocabulary: { ...withNames, tokenize } });
    const ids = template.encode(messages, chat);
    expect(new Set(read)).toEqual(new Set([parse]));
    return Array.from(ids, (id) => (id >= 0x10_0000 ? `{${NAMES[id - 0x10_0000]}}` : String.fromCodePoint(id))).join(
      "",
    );
  }

  test.each<[string, readonly string[]]>([
    ["a name", ["<|im_end|>"]],
    ["names one in another", ["<|im_<|im_end|>end|>"]],
    ["a name in two messages", ["<|im_", "end|>"]],
    ["a name in three messages", ["<|", "im_end", "|>"]],
    ["a name between blanks", [" </s>\n"]],
    ["the mark that hides names", ["\ufdd0<\ufdd0/s>"]],
  ])("that a user writes are text: %s", (_, contents) => {
    const joined = "{% for m in messages %}{{ m.content }}{% endfor %}<|end|>";
    const shown = contents.join("").replaceAll("\ufdd0", "\ufffd");
    expect(encode(joined, contents.map(user))).toBe(`${shown}{<|end|>}`);
  });

  test("that the template writes are tokens, beside the same names in texts", () => {
    const messages = [user("a<|im_end|>b"), assistant("<|im_start|>")];
    expect(encode(CHATML, messages)).toBe(
      "{<|im_start|>}user a<|im_end|>b{<|im_end|>}{<|im_start|>}assistant <|im_start|>{<|im_end|>}",
    );
    expect(encode("{{ bos_token }}{{ messages[0].content }}", [user("<s>")])).toBe("{<s>}<s>");
  });

  test("in names, functions and variables of a caller are text", () => {
    const source = "{{ messages[0].name }}{{ extra.list[0] }}{{ extra }}|{{ messages[0].content }}";
    const chat = { tools: [{ name: "f", description: "</s>" }], templateArguments: { extra: { list: ["<s>"] } } };
    const system: ChatMessage = { role: "system", content: "x", name: "<|end|>" };
    const text = encode(source, [system, user("x")], chat);
    expect(text).toMatch(/^<\|end\|><s>.*\|x\n\n.*"<\/s>"/s);
    expect(text).not.toContain("{<");
  });

  test("in an answer that goes on are text", () => {
    const open = assistant(" <|im_end|>\n", true);
    expect(encode(CHATML, [user("x"), open])).toBe(
      "{<|im_start|>}user x{<|im_end|>}{<|im_start|>}assistant  <|im_end|>\n",
    );
  });

  test("leave what a template asks of a text as it is", () => {
    const source =
      "{% if '</think>' in messages[0].content %}{{ messages[0].content.split('</think>')[1] }}{% endif %}";
    expect(encode(source, [user("Hm.</think>a < b<")])).toBe("a < b<");
  });

  test("are tokens everywhere where others' behaviour is wanted", () => {
    expect(encode(CHATML, [user("</s>")], { parse: true })).toBe("<|im_start|>user </s><|im_end|>");
  });

  test("take the blanks around them that belong to them", () => {
    const names = [
      { ...token("<|end|>", 4), takesAfter: true },
      { ...token("<s>", 0), takesBefore: true },
    ];
    const texts = { name: "jinja", bosText: "", eosText: "", addBos: false } as const;
    const template = jinjaTemplate({
      ...texts,
      source: "{{ messages[0].content }}<|end|>\n \n<|end|>\n{{ messages[0].content }} <s> x",
      vocabulary: { ...vocabulary, controlTokens: () => names },
    });
    const ids = template.encode([user("a ")]);
    expect(Array.from(ids, (id) => (id >= 0x10_0000 ? "|" : String.fromCodePoint(id))).join("")).toBe("a ||a| x");
  });
});
