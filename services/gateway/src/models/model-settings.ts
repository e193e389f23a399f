import { explainRefusal, hostPortSchema, type Settings } from "@rhone/common";
import { CHAT_TEMPLATE_NAMES, type ChatTemplateChoice, readChatTemplate } from "@rhone/model";
import { z } from "zod";

const text = z.string().min(1);

/** Texts separated by commas. */
export const listSchema = z
  .string()
  .default("")
  .transform((list) => list.split(",").flatMap((name) => name.trim() || []));

const chatTemplateSchema = z.string().transform((text, context): ChatTemplateChoice => {
  const read = readChatTemplate(text);
  if (typeof read === "string" || "source" in read) return read;
  context.addIssue({ code: "custom", message: read.problem });
  return z.NEVER;
});

const furtherModelsSchema = z.array(
  z
    .strictObject({
      path: text.optional(),
      from: hostPortSchema.optional(),
      name: text.optional(),
      aliases: z.array(text).default([]),
      chatTemplate: chatTemplateSchema.optional(),
    })
    .refine(({ path, from }) => path !== undefined || from !== undefined, "must have a path or from"),
);

const jsonSchema = z
  .string()
  .default("[]")
  .transform((text, context): z.output<typeof furtherModelsSchema> => {
    const refuse = (problem: string) => {
      context.addIssue({ code: "custom", message: `is no list of models: ${problem}` });
      return z.NEVER;
    };
    try {
      const read = furtherModelsSchema.safeParse(JSON.parse(text), { reportInput: true });
      return read.success ? read.data : refuse(explainRefusal(read.error, "the list").problem);
    } catch {
      return refuse("the text is no JSON");
    }
  });

/** The models of a gateway: the first by settings of its own, those behind it as JSON. */
export const modelSettings = {
  modelPath: {
    env: "RHONE_MODEL_PATH",
    schema: text.optional(),
    doc: "GGUF file that is served; only its header and vocabulary are read.",
    defaultText: "required without --weights-from",
  },
  modelName: {
    env: "RHONE_MODEL_NAME",
    schema: text.optional(),
    doc: "Model name for clients.",
    defaultText: "the file's",
  },
  modelAlias: {
    env: "RHONE_MODEL_ALIAS",
    schema: listSchema,
    doc: "Further names for the model, separated by commas.",
  },
  chatTemplate: {
    env: "RHONE_CHAT_TEMPLATE",
    schema: chatTemplateSchema.optional(),
    doc: `Chat template: ${CHAT_TEMPLATE_NAMES.join(", ")} (jinja = the file's own), or a file with a Jinja template.`,
    defaultText: "the file's",
  },
  models: {
    env: "RHONE_MODELS",
    schema: jsonSchema,
    doc:
      "Further models, as a JSON list of objects with the fields path, from, name, aliases and chatTemplate, of which " +
      "path or from must be there; they mean what --model-path, --weights-from and their kin do. Requests that name no " +
      "model get the first.",
    defaultText: "none",
  },
  controlNames: {
    env: "RHONE_CONTROL_NAMES",
    schema: z.enum(["text", "tokens"]).default("text"),
    doc:
      "Names of control tokens, such as </s>, in chat messages: `text` = they stay text, `tokens` = they become those " +
      "tokens, as in vLLM and llama-server: callers can end a turn or begin another.",
  },
} as const satisfies Settings;
