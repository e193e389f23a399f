import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChatTool } from "@rhone/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toConversation } from "../requests/conversation.js";
import { chatRequestSchema } from "../requests/prepare-chat.js";
import { type TokenizerVersion, writeMistralVocabulary } from "../testing/mistral-vocabulary.js";
import { loadTextModel, type TextModel } from "./text-model.js";

interface Golden {
  readonly texts: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly chats: readonly {
    readonly messages: readonly { readonly role: string; readonly content: string | null }[];
    readonly tools?: readonly { readonly function: ChatTool }[];
    readonly ids: readonly number[];
  }[];
  readonly fims: readonly { readonly prompt: string; readonly suffix: string; readonly ids: readonly number[] }[];
}

/** By mistral-common: see the README beside it. */
const GOLDEN = JSON.parse(
  readFileSync(new URL("../../../../test/fixtures/mistral-tokenizers/golden.json", import.meta.url), "utf8"),
) as Record<TokenizerVersion, Golden>;

const folder = mkdtempSync(join(tmpdir(), "rhone-vocabulary-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(Object.entries(GOLDEN) as [TokenizerVersion, Golden][])(
  "Mistral's tokenizer %s, id for id",
  (version, { texts, chats, fims }) => {
    let model: TextModel;
    beforeAll(async () => {
      const path = await writeMistralVocabulary(folder, version);
      const chatTemplate = `mistral-${version}` as const;
      model = await loadTextModel({ path, name: undefined, aliases: [], chatTemplate, ggmlDir: undefined });
    });
    afterAll(() => model.close());

    it.each(texts)("$text", async ({ text, ids }) => {
      expect(await model.encodeText(text)).toEqual(ids);
    });

    it.each(texts)("$text, and back", ({ text, ids }) => {
      const bytes = ids.map((id) => model.pieceBytes(id, { special: false }));
      const spaced = ` ${text.replaceAll("▁", " ")}`;
      expect(Buffer.concat(bytes).toString("utf8")).toBe(spaced);
    });

    it.each(
      chats.map((chat) => ({
        ...chat,
        what: chat.messages.map(({ role, content }) => `${role} ${content}`).join("; "),
      })),
    )("$what", async ({ messages, tools = [], ids }) => {
      const conversation = toConversation(await chatRequestSchema.parseAsync({ messages, tools }));
      const options = { ...conversation.options, tools: tools.map((tool) => tool.function) };
      expect(await model.encodeChat(conversation.messages, options)).toEqual(ids);
    });

    it.each(fims)("a gap between $prompt and $suffix", async ({ prompt, suffix, ids }) => {
      expect(await model.fillInMiddle?.([prompt, ""], suffix)).toMatchObject([ids, { length: expect.any(Number) }]);
    });
  },
);
