import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readSpecialTokensMap, tokenText } from "./added-tokens.js";
import { idsOf, isJsonObject, type JsonObject, readJsonFile } from "./json-file.js";

/** Settings in the small files beside a tokenizer; undefined where no file has them. */
export interface TokenizerSettings {
  readonly addBos: boolean | undefined;
  readonly addEos: boolean | undefined;
  readonly addSpacePrefix: boolean | undefined;
  readonly bosText: string | undefined;
  readonly eosText: string | undefined;
  readonly chatTemplate: string | undefined;
  /** Ids that end a generation, from generation_config.json. */
  readonly endIds: readonly number[];
}

/**
 * Reads tokenizer_config.json, special_tokens_map.json, generation_config.json and chat_template.{jinja,json}; any of
 * them may be missing.
 */
export async function readTokenizerSettings(dir: string): Promise<TokenizerSettings> {
  const config = (await readJsonFile(join(dir, "tokenizer_config.json"))) ?? {};
  const generation = (await readJsonFile(join(dir, "generation_config.json"))) ?? {};
  const special = await readSpecialTokensMap(dir);
  return {
    addBos: booleanOf(config.add_bos_token),
    addEos: booleanOf(config.add_eos_token),
    addSpacePrefix: booleanOf(config.add_prefix_space),
    bosText: tokenText(config.bos_token) ?? tokenText(special.bos_token),
    eosText: tokenText(config.eos_token) ?? tokenText(special.eos_token),
    chatTemplate: await readChatTemplate(dir, config),
    endIds: idsOf(generation.eos_token_id),
  };
}

/** A file of its own comes first, as in transformers: fine-tunes put one beside the configuration of their base. */
async function readChatTemplate(dir: string, config: JsonObject): Promise<string | undefined> {
  const jinja = await readFile(join(dir, "chat_template.jinja"), "utf8").catch(() => undefined);
  return (
    jinja ??
    templateText(config.chat_template) ??
    templateText((await readJsonFile(join(dir, "chat_template.json")))?.chat_template)
  );
}

/** The template, or the one named `default` among several. */
function templateText(template: unknown): string | undefined {
  if (typeof template === "string") return template;
  if (!Array.isArray(template)) return undefined;
  const named = template.find((entry: unknown) => isJsonObject(entry) && entry.name === "default") as
    | JsonObject
    | undefined;
  return typeof named?.template === "string" ? named.template : undefined;
}

const booleanOf = (value: unknown): boolean | undefined => (typeof value === "boolean" ? value : undefined);
