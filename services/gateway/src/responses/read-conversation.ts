import { RequestError } from "../request-error.js";
import type { ResponseRequest } from "../requests/responses/response-fields.js";
import {
  askedItems,
  type InputItem,
  inputItem,
  isReference,
  responseOfItem,
} from "../requests/responses/response-items.js";
import { outputAsInput, type ResponseRecord } from "./response-record.js";
import { KEPT, type RecordReader, type ResponseStore, refuseUnfinished, shown } from "./response-store.js";

/** Responses that one may continue, each of which is read. */
const MOST_PREVIOUS = 1024;
/** Responses that the references of a request may be to. */
const MOST_REFERRED = 1024;
/** Characters of their records. */
const MOST_CHARACTERS = 8 * 1024 * 1024;

export interface Conversation {
  /** The items of previous responses and their answers, oldest first. */
  readonly before: readonly InputItem[];
  /** The request's own, its references resolved. */
  readonly input: readonly InputItem[];
}

/**
 * What a response answers to. Throws NOT_FOUND for a previous response, or a referred item, that does not exist or
 * belongs to another owner; INVALID_REQUEST for too many; and as `ResponseStore.find`.
 */
export async function readConversation(
  store: ResponseStore,
  { input, previous_response_id: previous }: Pick<ResponseRequest, "input" | "previous_response_id">,
  { id, reader }: { readonly id: string; readonly reader: RecordReader },
): Promise<Conversation> {
  const reading = new Reading(store, reader);
  const before = previous === undefined ? [] : itemsOf(await reading.chain(previous));
  const asked = askedItems(input);
  const resolved: InputItem[] = [];
  for (const [index, item] of asked.entries())
    resolved.push(isReference(item) ? await reading.item(item.id, index) : inputItem(item, id, index));
  return { before, input: resolved };
}

/** What a stored response answered to: the items of the responses before it, and its own. */
export async function inputOf(
  store: ResponseStore,
  record: ResponseRecord,
  reader: RecordReader,
): Promise<readonly InputItem[]> {
  const { previous_response_id: previous } = record.response;
  if (previous === null) return record.input;
  return [...itemsOf(await new Reading(store, reader).chain(previous)), ...record.input];
}

/** Of responses from the newest to the oldest. */
const itemsOf = (records: readonly ResponseRecord[]): readonly InputItem[] =>
  [...records].reverse().flatMap(({ input, response }) => [...input, ...response.output.map(outputAsInput)]);

/** The records that one request reads. */
class Reading {
  readonly #store: ResponseStore;
  readonly #reader: RecordReader;
  readonly #referred = new Map<string, ReadonlyMap<string, InputItem>>();
  #characters = 0;

  constructor(store: ResponseStore, reader: RecordReader) {
    this.#store = store;
    this.#reader = reader;
  }

  /** The response and those that it continues, newest first. */
  async chain(last: string): Promise<readonly ResponseRecord[]> {
    const records: ResponseRecord[] = [];
    for (let id: string | null = last; id !== null; ) {
      if (records.length === MOST_PREVIOUS)
        throw refusal(`${last} continues more than ${MOST_PREVIOUS} responses; begin a new conversation`);
      const record: ResponseRecord = (await this.#find(id)) ?? missing(id, last);
      refuseUnfinished(record);
      records.push(record);
      id = record.response.previous_response_id;
    }
    return records;
  }

  async item(id: string, index: number): Promise<InputItem> {
    const response = responseOfItem(id);
    const items = response === undefined ? undefined : await this.#itemsOf(response);
    return items?.get(id) ?? missingItem(id, index);
  }

  async #itemsOf(response: string): Promise<ReadonlyMap<string, InputItem> | undefined> {
    const known = this.#referred.get(response);
    if (known !== undefined) return known;
    if (this.#referred.size === MOST_REFERRED)
      throw new RequestError(
        "INVALID_REQUEST",
        `input: refers to more than ${MOST_REFERRED} responses; send the items.`,
        {
          param: "input",
        },
      );
    const record = await this.#find(response);
    const items = record === undefined ? [] : itemsOf([record]);
    const byId = new Map(items.map((item) => [item.id, item] as const));
    this.#referred.set(response, byId);
    return byId;
  }

  async #find(id: string): Promise<ResponseRecord | undefined> {
    const found = await this.#store.find(id, this.#reader);
    this.#characters += found?.characters ?? 0;
    if (this.#characters > MOST_CHARACTERS)
      throw refusal(`the previous responses take more than ${MOST_CHARACTERS} characters; begin a new conversation`);
    return found?.record;
  }
}

const refusal = (problem: string): RequestError =>
  new RequestError("INVALID_REQUEST", `previous_response_id: ${problem}.`, { param: "previous_response_id" });

function missing(id: string, last: string): never {
  const which = id === last ? shown(id) : `${shown(id)}, which ${shown(last)} continues`;
  throw new RequestError("NOT_FOUND", `previous_response_id: there is no response ${which}; ${KEPT}.`, {
    param: "previous_response_id",
    apiCode: "previous_response_not_found",
  });
}

function missingItem(id: string, index: number): never {
  const param = `input.${index}.id`;
  const message = `${param}: no stored response has an item ${JSON.stringify(id.slice(0, 64))}; send the item itself.`;
  throw new RequestError("NOT_FOUND", message, { param, apiCode: "item_not_found" });
}
