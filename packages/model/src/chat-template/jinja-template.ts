import { Template } from "@huggingface/jinja";
import { RhoneError } from "@rhone/common/rhone-error";
import type { ChatMessage, ChatOptions } from "./chat-message.js";
import type { ChatTemplate, ChatVocabulary, ReadingOptions } from "./chat-template.js";
import { ControlNames, MARKS } from "./control-names.js";
import { toolsAsText } from "./tools-as-text.js";

export interface JinjaTemplateOptions extends ReadingOptions {
  readonly name: "jinja" | "chatml";
  /** The template, as `tokenizer.chat_template` holds it. */
  readonly source: string;
  readonly vocabulary: ChatVocabulary;
  /** The texts of the special tokens, for templates that print them. */
  readonly bosText: string;
  readonly eosText: string;
  /** Whether prompts begin with BOS; not doubled when the template prints it. */
  readonly addBos: boolean;
}

/** A template that doubles a text would otherwise take the memory of the tokenizer besides its own. */
const MOST_RENDERED = 16_000_000;

/**
 * A Jinja template: rendered to text, which is then tokenized. Control tokens are those that the template itself names.
 * Functions, calls and results are written as text (`toolsAsText`) even where the template has a form for them: each
 * template has another form, and Rhone must be able to parse the answer. Throws MODEL_UNSUPPORTED when the template
 * cannot be parsed; `encode` throws CHAT_TEMPLATE_FAILED with the template's own message ("roles must alternate").
 */
export function jinjaTemplate(options: JinjaTemplateOptions): ChatTemplate {
  const template = parseTemplate(options.source);
  const { name, source, vocabulary, bosText, eosText, addBos, parseSpecial = false } = options;
  // Read with the first chat: the vocabulary has up to 131,072 tokens.
  let known: ControlNames | undefined;
  return {
    name,
    source,
    refusal: undefined,
    trimsAnswers: false,
    callToken: undefined,
    encode(messages, chat = {}) {
      if (messages.length === 0) throw failed("messages is empty; give at least one user message");
      known ??= new ControlNames(parseSpecial ? [] : vocabulary.controlTokens());
      const names = known;
      const turns = toolsAsText(messages, chat.tools);
      const specials = { bos_token: bosText, eos_token: eosText };
      const rendered = renderChat(template, turns, { chat, specials, hide: (text) => names.hide(text) });
      if (rendered.length > MOST_RENDERED)
        throw failed(`it makes ${rendered.length} characters of them; at most ${MOST_RENDERED} are read`);
      const hasBos = bosText !== "" && rendered.startsWith(bosText);
      const ids = addBos && !hasBos && vocabulary.bos !== undefined ? [vocabulary.bos] : [];
      for (const part of names.split(rendered)) {
        if (typeof part === "number") ids.push(part);
        else for (const id of vocabulary.tokenize(part, { addSpecial: false, parseSpecial })) ids.push(id);
      }
      return Int32Array.from(ids);
    },
  };
}

/** Throws MODEL_UNSUPPORTED with the place of the mistake. */
export function parseTemplate(source: string): Template {
  try {
    return new Template(source);
  } catch (cause) {
    const why = (cause as Error).message;
    throw new RhoneError("MODEL_UNSUPPORTED", `The chat template can't be parsed: ${why}`, { cause });
  }
}

/** Why a template can't be parsed, without a full stop; undefined if it can. */
export function templateProblem(source: string): string | undefined {
  try {
    new Template(source);
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/\.$/, "");
  }
}

function render(template: Template, values: Readonly<Record<string, unknown>>): string {
  try {
    return template.render(values);
  } catch (cause) {
    throw failed((cause as Error).message);
  }
}

interface RenderContext {
  readonly chat: ChatOptions;
  /** The texts of special tokens, by the names that templates use. */
  readonly specials: Readonly<Record<string, string>>;
  /** A caller's text as the template may see it. */
  readonly hide: (text: string) => string;
}

/**
 * An answer to be continued is rendered as if it were complete, between marks: the text before it, and then the answer
 * as it was given, whatever the template makes of its blanks, and writes after it. An empty one is a new answer.
 */
function renderChat(template: Template, messages: readonly ChatMessage[], context: RenderContext): string {
  const { chat, specials, hide } = context;
  const last = messages.at(-1);
  if (last?.role !== "assistant" || last.prefix !== true) {
    return render(template, { ...variables(messages, context), ...specials });
  }
  if (!last.content) return renderChat(template, messages.slice(0, -1), context);
  const values = variables(messages, { ...context, chat: { ...chat, addGenerationPrompt: false } });
  const open = hide(last.content);
  const marked = { ...values.messages.at(-1), content: `${MARKS.begin}${open}${MARKS.end}` };
  const whole = render(template, { ...values, messages: [...values.messages.slice(0, -1), marked], ...specials });
  const end = whole.lastIndexOf(MARKS.end);
  if (end === -1) throw failed("the last assistant message is not in the rendered text, so it cannot be continued");
  // Some templates move the beginning of an answer, such as what the model thought, elsewhere: that stays there.
  const begin = whole.lastIndexOf(MARKS.begin, end);
  return begin === -1 ? whole.slice(0, end) : whole.slice(0, begin) + open;
}

/** The variables that Hugging Face's templates expect, in its spelling. */
function variables(messages: readonly ChatMessage[], { chat, hide }: RenderContext) {
  return {
    ...(hideAll(chat.templateArguments ?? {}, hide) as Readonly<Record<string, unknown>>),
    messages: messages.map(({ role, content, name }) => ({
      role,
      content: hide(content ?? ""),
      ...(name !== undefined && { name: hide(name) }),
    })),
    add_generation_prompt: chat.addGenerationPrompt ?? true,
  };
}

/** A JSON value whose texts are hidden, those of keys too. */
function hideAll(value: unknown, hide: RenderContext["hide"]): unknown {
  if (typeof value === "string") return hide(value);
  if (Array.isArray(value)) return value.map((item) => hideAll(item, hide));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [hide(key), hideAll(item, hide)]));
}

const failed = (reason: string): RhoneError =>
  new RhoneError("CHAT_TEMPLATE_FAILED", `The model's chat template refused the messages: ${reason}`, {
    param: "messages",
  });
