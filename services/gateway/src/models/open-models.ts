import type { ConfigOf, Logger, Shutdown } from "@rhone/common";
import { GrammarBuilder } from "@rhone/grammar";
import { inspectModel } from "@rhone/model";
import { openHeader } from "@rhone/weights";
import { loadTextModel } from "../text/text-model.js";
import type { modelSettings } from "./model-settings.js";
import type { GatewayModel } from "./served-models.js";

/** What opening models takes of a gateway's settings. Limits are each model's own, as are its threads. */
export type OpenModelsConfig = ConfigOf<typeof modelSettings> & Parameters<typeof openHeader>[0] & Costs;

interface Costs {
  readonly ggmlDir: string | undefined;
  readonly encodeTimeoutMs: number;
  readonly encodingsWaiting: number;
  readonly grammarTimeoutMs: number;
  readonly grammarMemory: number;
  readonly grammarsWaiting: number;
  readonly turnWaitMs: number;
}

interface Process {
  readonly logger: Logger;
  /** Closes the models. */
  readonly shutdown: Shutdown;
}

/**
 * Reads the tokenizers of the models in their order. Their files may be another machine's, of which only the headers
 * come here. Throws as `openHeader` and `loadTextModel`.
 */
export async function openModels(config: OpenModelsConfig, process: Process): Promise<readonly GatewayModel[]> {
  const { modelPath: path, weightsFrom: from, modelName: name, modelAlias: aliases, chatTemplate } = config;
  const opened: GatewayModel[] = [];
  for (const file of [{ path, from, name, aliases, chatTemplate }, ...config.models])
    opened.push(await openModel(file, config, process));
  return opened;
}

type ModelFile = OpenModelsConfig["models"][number];

async function openModel(
  { path: modelPath, from: weightsFrom, aliases, chatTemplate, ...named }: ModelFile,
  config: OpenModelsConfig,
  { logger, shutdown }: Process,
): Promise<GatewayModel> {
  const { path, name: served, close } = await openHeader({ ...config, modelPath, weightsFrom }, logger);
  const name = named.name ?? served;
  shutdown.add(`file of ${name ?? path}`, close);
  const { ggmlDir, controlNames, encodeTimeoutMs, encodingsWaiting, turnWaitMs: withinMs } = config;
  const limits = { timeoutMs: encodeTimeoutMs, most: encodingsWaiting, withinMs };
  const parseSpecial = controlNames === "tokens";
  const text = await loadTextModel({ path, name, aliases, chatTemplate, parseSpecial, ggmlDir, limits });
  if (text.chatRefusal !== undefined) logger.warn({ model: text.name, why: text.chatRefusal }, "chats are refused");
  shutdown.add(`tokenizer of ${text.name}`, () => text.close());
  const { grammarTimeoutMs: timeoutMs, grammarMemory: memoryBytes, grammarsWaiting: most } = config;
  const vocabulary = () => text.grammarVocabulary();
  const grammars = new GrammarBuilder({ vocabulary, limits: { timeoutMs, memoryBytes, most, withinMs } });
  shutdown.add(`grammars of ${text.name}`, () => grammars.close());
  let summary: ReturnType<GatewayModel["summary"]> | undefined;
  return { text, grammars, summary: () => (summary ??= inspectModel(path)) };
}
