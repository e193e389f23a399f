import type { FastifyInstance, FastifyReply } from "fastify";
import { RESPONSE_PREFIX, type ResponseStatus, responseHead } from "../../answers/response-object.js";
import { SSE_HEADERS } from "../../answers/stream-lines.js";
import { streamRecordOf } from "../../answers/stream-records.js";
import type { ServedModels } from "../../models/served-models.js";
import { refuseParam } from "../../request-error.js";
import type { Arrival } from "../../requests/prepare.js";
import { parseRequest } from "../../requests/request-fields.js";
import { countInput, type PreparedResponse, prepareResponse } from "../../requests/responses/prepare-response.js";
import {
  inputItemsQuerySchema,
  type ResponseRequest,
  readResponseRequest,
  responseQuerySchema,
} from "../../requests/responses/response-fields.js";
import { type InputItem, listedItem } from "../../requests/responses/response-items.js";
import type { BackgroundResponses } from "../../responses/background-responses.js";
import { currentResponse, finishOrphan } from "../../responses/current-response.js";
import { keepStreamed, keepWhole } from "../../responses/keep-response.js";
import type { OpenResponses } from "../../responses/open-responses.js";
import { inputOf, readConversation } from "../../responses/read-conversation.js";
import { isOver, type ResponseRecord, type ResponseView } from "../../responses/response-record.js";
import type { RecordReader, ResponseStore } from "../../responses/response-store.js";
import { timeLeft } from "../../turns.js";
import { whenSent } from "../answer.js";
import { type Following, resumeResponse } from "../follow.js";
import { leavingOf } from "../leaving.js";
import { reserveTokens } from "../rate-limiting.js";
import { sendJson } from "../send-json.js";
import { arrivalOf, counted, freeBody, type GenerationUse, generate } from "./generation.js";

export interface ResponsesUse extends GenerationUse, Following {
  readonly models: ServedModels;
  readonly responses: ResponseStore;
  readonly openResponses: OpenResponses;
  readonly background: BackgroundResponses;
  /** Longest that a response in the background may take, in milliseconds. */
  readonly backgroundTimeoutMs: number;
}

interface ById {
  readonly Params: { readonly id: string };
}

const DEFAULT_LIMIT = 20;
/** Of a response that is only counted. */
const NO_ID = `${RESPONSE_PREFIX}${"0".repeat(32)}`;

/**
 * OpenAI's responses: POST /v1/responses, …/input_tokens; GET, DELETE /v1/responses/:id; GET …/:id/input_items;
 * POST …/:id/cancel. They are generated as chats are, and stored.
 */
export function responses(app: FastifyInstance, uses: ResponsesUse): void {
  app.post("/v1/responses", async ({ body }, reply) => {
    const fields = await readResponseRequest(body);
    if (fields.background === true) return runInBackground(uses, reply, fields);
    return generate(uses, reply, { route: "responses", prepare: (arrival) => storedRun(uses, reply, fields, arrival) });
  });
  app.post("/v1/responses/input_tokens", async ({ body, caller: { owner } }, reply) => {
    const asked = await readAsked(uses, reply, await readResponseRequest(body), NO_ID);
    const model = await uses.models.textOf(asked.fields.model);
    return { object: "response.input_tokens", input_tokens: await countInput(model, asked, owner) };
  });
  app.get<ById>("/v1/responses/:id", async ({ method, params: { id }, query, caller: { owner } }, reply) => {
    const { stream = false, starting_after: after } = parseRequest(responseQuerySchema, query);
    if (!stream && after !== undefined) refuseParam("starting_after", " needs stream=true.");
    const { record } = await uses.responses.get(id, readerOf(uses, reply));
    if (!stream) return sendJson(reply, await currentResponse(uses.client, record));
    // As for streams: a client that gets nothing of it would wait for the end of a generation.
    if (method === "HEAD") return reply.headers(SSE_HEADERS).send();
    return uses.readers.admit({ stream: id, owner }, () => sendEvents(uses, reply, record, after ?? -1));
  });
  app.delete<ById>("/v1/responses/:id", async ({ params: { id }, caller: { owner } }, reply) => {
    const { record } = await uses.responses.get(id, readerOf(uses, reply));
    if (!isOver(record) && record.response.background) await uses.background.cancel(record);
    await uses.responses.drop(id, owner);
    return { id, object: "response", deleted: true };
  });
  app.get<ById>("/v1/responses/:id/input_items", async ({ params: { id }, query }, reply) => {
    const asked = parseRequest(inputItemsQuerySchema, query);
    const reader = readerOf(uses, reply);
    const { record } = await uses.responses.get(id, reader);
    return sendJson(reply, pageOf(await inputOf(uses.responses, record, reader), asked));
  });
  app.post<ById>("/v1/responses/:id/cancel", async ({ params: { id } }, reply) => {
    const { record } = await uses.responses.get(id, readerOf(uses, reply));
    if (!record.response.background)
      refuseParam("id", `: ${id} does not run in the background; close its connection to end it.`);
    const ended = isOver(record) ? record : await uses.background.cancel(record);
    return sendJson(reply, ended.response);
  });
}

/** Reads records for an answer, which takes room until it is sent. */
function readerOf(uses: ResponsesUse, reply: FastifyReply): RecordReader {
  const { answers } = uses;
  const { owner } = reply.request.caller;
  const held: { release(): void }[] = [];
  whenSent(reply, () => {
    for (const one of held) one.release();
  });
  return readerThat(uses, reply, (bytes) => void held.push(answers.takeNow({ bytes, lane: "interactive", owner })));
}

const readerThat = (uses: ResponsesUse, reply: FastifyReply, hold: (bytes: number) => void): RecordReader => ({
  owner: reply.request.caller.owner,
  leaving: leavingOf(reply),
  hold,
  unfinished: (record) => finishOrphan(uses, record),
});

/** A response that its client waits for, and that is kept unless the request forbids it. */
async function storedRun(uses: ResponsesUse, reply: FastifyReply, fields: ResponseRequest, arrival: Arrival) {
  const { prepared, input } = await prepareAsked(uses, reply, fields, arrival);
  if (fields.store === false) return prepared;
  const record = recordOf(prepared, { input, owner: arrival.owner, status: "in_progress" });
  await uses.responses.check(record);
  const { writer, stream, resumable } = prepared;
  const kept = { store: uses.responses, record, writer };
  if (!stream) return { ...prepared, around: (events: AnswerEvents) => keepWhole(events, kept) };
  const isDetached = resumable || reply.request.claim !== null;
  const { openResponses: open, logger } = uses;
  return { ...prepared, around: (events: AnswerEvents) => keepStreamed(events, { ...kept, open, isDetached, logger }) };
}

type AnswerEvents = Parameters<typeof keepWhole>[0];

/** Answers at once with a response that some gateway then follows to its end. */
async function runInBackground(uses: ResponsesUse, reply: FastifyReply, fields: ResponseRequest) {
  if (fields.store === false)
    refuseParam("background", " needs store: true; a response that is not stored can't be fetched.");
  const record = await counted(uses, async () => {
    const arrival = arrivalOf(reply.request, uses.backgroundTimeoutMs);
    const { prepared, input } = await prepareAsked(uses, reply, fields, arrival);
    const [job] = prepared.jobs;
    if (job === undefined) throw new Error("A response has a job");
    const { span } = reply.request;
    const queued = {
      ...recordOf(prepared, { input, owner: arrival.owner, status: "queued" }),
      job: span === null ? job : { ...job, trace: span.carrier },
    };
    const record = fields.stream === true ? queued : { ...queued, attempt: 0 };
    const reservation = await reserveTokens(uses, reply, prepared);
    try {
      await uses.responses.create(reservation === null ? record : { ...record, reserved: reservation.reserved });
      await uses.openResponses.add(record.response.id, record.owner);
    } catch (error) {
      await reservation?.settle(0);
      throw error;
    }
    return record;
  });
  const { response, owner, generation } = record;
  freeBody(reply.request);
  if (fields.stream !== true) return sendJson(reply, response);
  await reply.request.claim?.generates({ record: generation, stream: true, withIds: false });
  reply.request.claim?.queued();
  const reading = { stream: response.id, owner };
  return uses.readers.admit(reading, () =>
    resumeResponse(uses, reply, { record: generation, after: -1, isOver: false }),
  );
}

async function prepareAsked(uses: ResponsesUse, reply: FastifyReply, fields: ResponseRequest, arrived: Arrival) {
  const arrival = { ...arrived, id: arrived.id.replaceAll("-", "") };
  const { input, ...asked } = await readAsked(uses, reply, fields, RESPONSE_PREFIX + arrival.id);
  return { input, prepared: await prepareResponse(uses, asked, arrival) };
}

/** The request with what it refers to, which counts as its body. `input`: its own items. */
async function readAsked(uses: ResponsesUse, reply: FastifyReply, fields: ResponseRequest, id: string) {
  await timeLeft(); // the fields took theirs
  const { received } = reply.request;
  const reader = readerThat(uses, reply, (bytes) => received?.add(bytes));
  const { before, input } = await readConversation(uses.responses, fields, { id, reader });
  const items = [...before, ...input];
  return { fields, items, previous: before.length, isStored: fields.store !== false, input };
}

interface About {
  readonly input: readonly InputItem[];
  readonly owner: string;
  readonly status: ResponseStatus;
}

function recordOf({ record, jobs, answerBytes }: PreparedResponse, { input, owner, status }: About) {
  const response = responseHead(record.options, status) as unknown as ResponseView;
  return { owner, input, response, generation: streamRecordOf(record, jobs, answerBytes) };
}

async function sendEvents(uses: ResponsesUse, reply: FastifyReply, record: ResponseRecord, after: number) {
  const { generation, response } = record;
  if (generation !== undefined)
    return resumeResponse(uses, reply, { record: generation, after, isOver: isOver(record) });
  return refuseParam("stream", `: ${response.id} was not streamed; get it without stream.`);
}

type Paging = ReturnType<typeof inputItemsQuerySchema.parse>;

/** `items`: oldest first. Throws INVALID_REQUEST for an `after` that is not among them. */
function pageOf(items: readonly InputItem[], { after, limit = DEFAULT_LIMIT, order = "desc" }: Paging) {
  const ordered = order === "asc" ? items : [...items].reverse();
  const behind = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
  if (after !== undefined && behind === 0) refuseParam("after", `: the response has no item ${JSON.stringify(after)}.`);
  const page = ordered.slice(behind, behind + limit);
  const ends = { first_id: page[0]?.id ?? null, last_id: page.at(-1)?.id ?? null };
  return { object: "list", data: page.map(listedItem), ...ends, has_more: ordered.length > behind + page.length };
}
