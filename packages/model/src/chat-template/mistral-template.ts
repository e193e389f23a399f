import { type ChatMessage, type ChatOptions, type ChatTool, cannotEncode } from "./chat-message.js";
import type { ChatTemplate, ChatVocabulary, ReadingOptions } from "./chat-template.js";
import { type Conversation, normalizeConversation } from "./normalize-conversation.js";
import { dumpJson, respaceJson } from "./python-json.js";
import { callJson, mistralCallId } from "./tool-calls.js";
import { toolsAsText } from "./tools-as-text.js";

/**
 * V1: 7B-Instruct v0.1 and v0.2, without tokens for functions. V2: tool calls, of which only the newest are kept in the
 * prompt. V3: 7B-Instruct v0.3.
 */
export type MistralVersion = 1 | 2 | 3;

type MistralVocabulary = Omit<ChatVocabulary, "controlTokens">;

/** Ids of the control tokens that V2 and V3 vocabularies begin with. */
const CONTROL = {
  inst: 3,
  instEnd: 4,
  toolCalls: 5,
  tools: 6,
  toolsEnd: 7,
  toolResults: 8,
  toolResultsEnd: 9,
} as const;

/**
 * Mistral's own encoding, which is defined on ids, not on text: each message is tokenized alone, with SentencePiece's
 * leading space, and the ids are concatenated. Text that looks like a control token stays text unless `parseSpecial`.
 *
 *     V1  <s> enc("[INST] u [/INST]") enc(a) </s> …
 *     V3  <s> [INST] enc(u) [/INST] enc(a) </s> …          tools before the last [INST]
 *
 * The model was trained on answers with that leading space, so its first piece carries one ("▁Paris"). Turning
 * generated ids into text must strip exactly one space from the front of the answer, as SentencePiece's decoder does.
 *
 * Follows mistral-common's InstructTokenizerV1, V2 and V3, which refuse an assistant message of text and calls. Here it
 * is the text and then the calls, as V7 encodes it: enc(a) [TOOL_CALLS] enc(calls) </s>. `encode` throws
 * CHAT_TEMPLATE_FAILED.
 */
export function mistralTemplate(
  version: MistralVersion,
  vocabulary: MistralVocabulary,
  { parseSpecial = false }: ReadingOptions = {},
): ChatTemplate {
  const encoder = new MessageEncoder({ version, vocabulary, parseSpecial });
  const trimsAnswers = version !== 1;
  const known = { name: `mistral-v${version}`, source: undefined, refusal: undefined, trimsAnswers } as const;
  if (version === 1) {
    const encode: ChatTemplate["encode"] = (messages, { tools, ...options } = {}) =>
      encoder.encode(toolsAsText(messages, tools), options);
    return { ...known, callToken: undefined, encode };
  }
  return {
    ...known,
    callToken: CONTROL.toolCalls,
    encode: (messages, options = {}) => encoder.encode(messages, options),
  };
}

interface AskedConversation extends Conversation {
  readonly tools: readonly ChatTool[];
}

interface EncoderOptions {
  readonly version: MistralVersion;
  readonly vocabulary: MistralVocabulary;
  readonly parseSpecial: boolean;
}

class MessageEncoder {
  readonly #version: MistralVersion;
  readonly #vocabulary: MistralVocabulary;
  readonly #parseSpecial: boolean;

  constructor({ version, vocabulary, parseSpecial }: EncoderOptions) {
    this.#version = version;
    this.#vocabulary = vocabulary;
    this.#parseSpecial = parseSpecial;
  }

  encode(messages: readonly ChatMessage[], options: ChatOptions): Int32Array {
    const conversation = normalizeConversation(messages, { asks: options.addGenerationPrompt !== false });
    const asked = { ...conversation, tools: options.tools ?? [] };
    const ids: number[] = [this.#special("bos")];
    const { turns } = conversation;
    for (let index = 0; index < turns.length; ) {
      const run = this.#runAt(turns, index);
      for (const id of this.#encodeRun(run, index, asked)) ids.push(id);
      index += run.length;
    }
    return Int32Array.from(ids);
  }

  /** The messages that are encoded as one: consecutive tool results in V2, otherwise a single message. */
  #runAt(turns: readonly ChatMessage[], start: number): readonly ChatMessage[] {
    if (this.#version !== 2 || turns[start]?.role !== "tool") return turns.slice(start, start + 1);
    const next = turns.findIndex(({ role }, index) => index > start && role !== "tool");
    return turns.slice(start, next === -1 ? undefined : next);
  }

  #encodeRun(run: readonly ChatMessage[], index: number, asked: AskedConversation): readonly number[] {
    const [message] = run;
    switch (message?.role) {
      case "user":
        return this.#encodeUser(message, index, asked);
      case "assistant":
        return this.#encodeAssistant(message, index < asked.lastUser);
      case "tool":
        return this.#encodeResults(run, index < asked.lastUser);
      default:
        return [];
    }
  }

  #encodeUser(message: ChatMessage, index: number, { system, lastUser, tools }: AskedConversation): number[] {
    const carriesSystem = index === (this.#version === 1 ? 0 : lastUser);
    const text = message.content ?? "";
    const content = carriesSystem && system ? `${system}\n\n${text}` : text;
    if (this.#version === 1) return this.#text(`[INST] ${content} [/INST]`);
    const prompt = [CONTROL.inst, ...this.#text(content), CONTROL.instEnd];
    if (index !== lastUser || tools.length === 0) return prompt;
    return [CONTROL.tools, ...this.#text(dumpJson(tools.map(describeTool))), CONTROL.toolsEnd, ...prompt];
  }

  #encodeAssistant(message: ChatMessage, isHistory: boolean): number[] {
    const isOpen = message.prefix === true;
    const end = isOpen ? [] : [this.#special("eos")];
    const calls = message.toolCalls ?? [];
    const answer = this.#encodeAnswer(message.content ?? "", isOpen);
    if (calls.length === 0) return [...answer, ...end];
    if (this.#version === 2 && isHistory) return answer.length === 0 ? [] : [...answer, ...end];
    const described = calls.map((call) =>
      this.#version === 2 ? `${callJson(call)}}` : `${callJson(call)}, "id": "${mistralCallId(call.id)}"}`,
    );
    return [...answer, CONTROL.toolCalls, ...this.#text(`[${described.join(", ")}]`), ...end];
  }

  /** `isOpen`: it goes on. A blank one is kept: the caller wants an answer that is indented. */
  #encodeAnswer(content: string, isOpen: boolean): number[] {
    const isOpenBlank = isOpen && content.trim() === "";
    return this.#text(this.#version === 1 || isOpenBlank ? content : content.replace(/ +$/, ""));
  }

  #encodeResults(run: readonly ChatMessage[], isHistory: boolean): number[] {
    if (this.#version === 2 && isHistory) return [];
    const described = run.map(({ content, name, toolCallId }) => {
      const result = respaceJson(content ?? "") ?? JSON.stringify(content ?? "");
      if (this.#version === 2) return `{"name": ${JSON.stringify(name ?? "")}, "content": ${result}}`;
      return `{"content": ${result}, "call_id": "${mistralCallId(toolCallId ?? "")}"}`;
    });
    const text = this.#version === 2 ? `[${described.join(", ")}]` : described.join("");
    return [CONTROL.toolResults, ...this.#text(text), CONTROL.toolResultsEnd];
  }

  #text(text: string): number[] {
    if (text === "") return [];
    return Array.from(this.#vocabulary.tokenize(text, { addSpecial: false, parseSpecial: this.#parseSpecial }));
  }

  #special(name: "bos" | "eos"): number {
    const id = this.#vocabulary[name];
    if (id === undefined) throw cannotEncode(`the vocabulary has no ${name.toUpperCase()} token`);
    return id;
  }
}

/** The keys in the order in which the models saw them. */
const describeTool = ({ name, description, parameters }: ChatTool): unknown => ({
  type: "function",
  function: { name, description: description ?? "", parameters: parameters ?? {} },
});
