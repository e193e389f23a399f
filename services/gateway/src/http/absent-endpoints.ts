import { OPERATIONS } from "./openapi/operations.js";

/** How the paths of an API begin that Rhone does not have, behind the version, and why with what to do instead. */
const ABSENT: readonly (readonly [RegExp, string])[] = [
  [/^(audio|realtime|live|transcription_sessions)\b/, "the model reads and writes text, not sound"],
  [/^(images|videos|video|ocr|sdapi)\b/, "the model reads and writes text, not pictures"],
  [
    /^(fine_tuning|fine-tunes|fine-tuning|checkpoints)\b/,
    "Rhone trains no models; rhone model convert takes fine-tunes",
  ],
  [/^(assistants|threads|chatkit)\b/, "assistants are not kept here; send their instructions to POST /v1/responses"],
  [/^agents\b/, "agents are not kept here; send their instructions to POST /v1/chat/completions"],
  [/^conversations\b/, "continue a response by the previous_response_id of POST /v1/responses"],
  [/^responses\/compact$/, "no response is compacted; truncation: auto in POST /v1/responses shortens a long input"],
  [/^(vector_stores|libraries|containers|skills|evals|graders)\b/, "it has no tools or stores of its own"],
  [/^(chat\/)?(moderations|classifications|classify)$/, "the model generates text and judges none"],
  [/^(rerank|reranking|score|pooling)$/, "the model generates text; POST /v1/embeddings gives vectors to rank by"],
  [/^(embedding|embed)$/, "send POST /v1/embeddings"],
  [/^(uploads)\b/, "a file is uploaded whole, by POST /v1/files"],
  [
    /^(organization|organizations|dashboard|usage)\b/,
    "API keys are made by rhone keys create, and usage is at GET /metrics",
  ],
  [/^messages\/batches\b/, "send chats as lines of POST /v1/batches"],
  [/^complete$/, "send POST /v1/messages"],
  [/^(edits|chat)$/, "send POST /v1/chat/completions"],
  [/^(infill)$/, "send POST /v1/fim/completions with prompt and suffix"],
  [/^(generate|generate_stream|invocations)$/, "send POST /v1/completions"],
  [/^(props|slots|load|server_info)$/, "the state of the cluster is at GET /status, and numbers are at GET /metrics"],
  [/^(apply-template)$/, "POST /tokenize with messages gives the tokens of a chat"],
  [
    /^(lora-adapters|load_lora_adapter|unload_lora_adapter)$/,
    "adapters are merged into a model before rhone model convert",
  ],
  [/^(tags|show|ps)$/, "the model is listed at GET /v1/models"],
  [/^(pull|push|create|copy|delete|blobs)\b/, "models are files of this machine; see rhone model"],
  [/^models\/[^/]*:/, "it has no API of Google's shape; send POST /v1/chat/completions"],
];

/** Versions and prefixes of other servers. */
const PREFIX = /^\/(?:(?:api|openai)\/)?(?:v\d\w*\/)?/;

/** A path that names the model, as OpenAI's oldest endpoints and Azure's do. */
const WITH_MODEL = /^(?:engines|deployments)(?:\/([^/]+))?(?:\/(.+))?$/;

/**
 * Why there is nothing at a path of another server's API, and what to do instead; undefined for a path that is in none
 * of those known here. `path`: with single slashes, without one at its end.
 */
export function whyAbsent(path: string): string | undefined {
  const rest = path.replace(PREFIX, "");
  const [isWithModel, model, tail] = WITH_MODEL.exec(rest) ?? [];
  if (isWithModel === undefined) return ABSENT.find(([begins]) => begins.test(rest))?.[1];
  if (model === undefined) return "the model is listed at GET /v1/models";
  if (tail === undefined) return "the model is described at GET /v1/models/{model}";
  const isHere = OPERATIONS[`POST /v1/${tail}`] !== undefined;
  return isHere ? `send POST /v1/${tail} with "model" in its body` : whyAbsent(`/${tail}`);
}
