import { describe, expect, test } from "vitest";
import type { ChatMessage, ChatOptions } from "./chat-message.js";
import { type JinjaTemplateOptions, jinjaTemplate } from "./jinja-template.js";

/** Ids are code points; BOS is 1. */
const vocabulary: JinjaTemplateOptions["vocabulary"] = {
  bos: 1,
  eos: 2,
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
  const template = jinjaTemplate({ source, vocabulary, bosText: "<s>", eosText: "</s>", addBos });
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

  test("is cut where an answer goes on that it repeats twice", () => {
    const source = `${EACH}<end>`;
    expect(render(source, [user("Once"), assistant("Once", true)])).toBe("<user>Once<assistant>Once");
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
