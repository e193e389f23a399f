import { Template } from "@huggingface/jinja";
import { RhoneError } from "@rhone/common/rhone-error";
import type { ChatMessage, ChatOptions } from "./chat-message.js";
import type { ChatTemplate, ChatVocabulary } from "./chat-template.js";
import { toolsAsText } from "./tools-as-text.js";

export interface JinjaTemplateOptions {
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
 * A model's own template: rendered to text, which is then tokenized, control tokens included. Functions, calls and
 * results are written as text (`toolsAsText`) even where the template has a form for them: each template has another
 * form, and Rhone must be able to parse the answer. Throws MODEL_UNSUPPORTED when the template cannot be parsed;
 * `encode` throws CHAT_TEMPLATE_FAILED with the template's own message ("roles must alternate").
 */
export function jinjaTemplate(options: JinjaTemplateOptions): ChatTemplate {
  const template = parse(options.source);
  const { vocabulary, bosText, eosText, addBos } = options;
  return {
    name: "jinja",
    callToken: undefined,
    encode(messages, chat = {}) {
      if (messages.length === 0) throw failed("messages is empty; give at least one user message");
      const turns = toolsAsText(messages, chat.tools);
      const rendered = renderChat(template, turns, { chat, specials: { bos_token: bosText, eos_token: eosText } });
      if (rendered.length > MOST_RENDERED)
        throw failed(`it makes ${rendered.length} characters of them; at most ${MOST_RENDERED} are read`);
      const hasBos = bosText !== "" && rendered.startsWith(bosText);
      const ids = vocabulary.tokenize(rendered, { addSpecial: false, parseSpecial: true });
      if (!addBos || hasBos || vocabulary.bos === undefined) return Int32Array.from(ids);
      return Int32Array.from([vocabulary.bos, ...ids]);
    },
  };
}

function parse(source: string): Template {
  try {
    return new Template(source);
  } catch (cause) {
    throw new RhoneError(
      "MODEL_UNSUPPORTED",
      `The model's chat template cannot be parsed: ${(cause as Error).message}`,
      { cause },
    );
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
}

/** An answer to be continued is rendered as if it were complete, and the text is cut where the answer ends. */
function renderChat(template: Template, messages: readonly ChatMessage[], context: RenderContext): string {
  const { chat, specials } = context;
  const last = messages.at(-1);
  if (last?.role !== "assistant" || last.prefix !== true) {
    return render(template, { ...variables(messages, chat), ...specials });
  }
  const open = last.content ?? "";
  if (open.trim() === "") return renderChat(template, messages.slice(0, -1), context);
  const whole = render(template, { ...variables(messages, { ...chat, addGenerationPrompt: false }), ...specials });
  const [asGiven, trimmed] = [whole.lastIndexOf(open), whole.lastIndexOf(open.trim())];
  if (asGiven !== -1) return whole.slice(0, asGiven + open.length);
  if (trimmed !== -1) return whole.slice(0, trimmed + open.trim().length);
  throw failed("the last assistant message is not in the rendered text, so it cannot be continued");
}

/** The variables that Hugging Face's templates expect, in its spelling. */
function variables(messages: readonly ChatMessage[], chat: ChatOptions): Record<string, unknown> {
  return {
    ...chat.templateArguments,
    messages: messages.map(({ role, content, name }) => ({
      role,
      content: content ?? "",
      ...(name !== undefined && { name }),
    })),
    add_generation_prompt: chat.addGenerationPrompt ?? true,
  };
}

const failed = (reason: string): RhoneError =>
  new RhoneError("CHAT_TEMPLATE_FAILED", `The model's chat template refused the messages: ${reason}`, {
    param: "messages",
  });
