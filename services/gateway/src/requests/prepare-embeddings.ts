import type { GenerationJob } from "@rhone/common";
import type { FastifyInstance } from "fastify";
import { EmbeddingWriter } from "../answers/embedding-writer.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { answer } from "../http/answer.js";
import { unsupported } from "../request-error.js";
import type { TextModel } from "../text/text-model.js";
import { type EmbeddingInput, type EmbeddingRequest, embeddingRequestSchema, inputsOf } from "./embedding-request.js";
import { parseRequest } from "./parse-request.js";
import { type Arrival, arrivalNow, type PreparedRequest } from "./prepared-request.js";
import { generationSchema } from "./request-fields.js";
import { coordinatorFor } from "./served-model.js";
import { toJobs } from "./to-jobs.js";
import { truncatePrompt } from "./truncate-prompt.js";

/** Inputs of one request that are in the queue or running at a time. */
const AT_ONCE = 64;

/** Nothing is drawn; and other prompts hardly begin as these do. */
const FIELDS = generationSchema.parse({ cache_prompt: false, seed: 0 });

/** POST /v1/embeddings: the mean of an input's hidden states after the final norm, L2-normalised. */
export function embeddings(app: FastifyInstance, deps: GatewayDeps): void {
  app.post("/v1/embeddings", async (request, reply) => {
    const prepared = await prepareEmbeddings(deps, request.body, arrivalNow(deps, request));
    return answer({ deps, reply, route: "embeddings", ...prepared });
  });
}

/** Reads the body. Throws what is wrong with it, MODEL_NOT_FOUND, NO_PIPELINE and REDIS_UNAVAILABLE. */
export async function prepareEmbeddings(deps: GatewayDeps, body: unknown, arrival: Arrival): Promise<PreparedRequest> {
  const fields = parseRequest(embeddingRequestSchema, body);
  checkDimensions(fields, deps.model);
  const coordinator = await coordinatorFor(deps, fields.model);
  const inputs = inputsOf(fields);
  const id = `embd-${arrival.id}`;
  const jobs = toJobs({
    id,
    model: coordinator.model.name,
    replyTo: deps.gatewayId,
    fields: FIELDS,
    prompts: inputs.map((input) => readInput(deps.model, input, fields)),
    paramOf: (prompt) => inputs[prompt]?.param ?? "input",
    samples: 1,
    maxTokens: 0,
    logprobs: null,
    promptLogprobs: null,
    constraint: null,
    limits: { contextLength: coordinator.model.contextLength, vocabSize: deps.model.vocabSize },
    lane: arrival.lane,
    keyId: arrival.owner,
    arrivedAtMs: arrival.arrivedAtMs,
    deadlineAtMs: arrival.deadlineAtMs,
  }).map((job): GenerationJob => ({ ...job, pooling: "mean" }));
  const writer = new EmbeddingWriter({
    id,
    modelName: fields.model ?? deps.model.name,
    inputs: inputs.length,
    encoding: fields.encoding_format ?? "float",
  });
  return { jobs, statesLimit: true, stream: false, writer, record: undefined, resumable: false, atOnce: AT_ONCE };
}

/** A vector cut short means nothing unless the model was trained for it, and these were not. */
function checkDimensions(fields: EmbeddingRequest, { name, dim }: TextModel): void {
  for (const param of ["dimensions", "output_dimension"] as const) {
    const asked = fields[param];
    if (asked === undefined || asked === dim) continue;
    throw unsupported(param, `${param}: ${name} has embeddings of ${dim} dimensions, and no others; leave it out.`);
  }
}

/** Token ids are taken as they are; ids outside the vocabulary are refused later. */
function readInput(model: TextModel, { value }: EmbeddingInput, fields: EmbeddingRequest): readonly number[] {
  const { add_special_tokens: addSpecial = true, truncate_prompt_tokens: most } = fields;
  return truncatePrompt(typeof value === "string" ? model.encodeText(value, { addSpecial }) : value, most);
}
