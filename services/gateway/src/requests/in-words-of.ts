import { RhoneError } from "@rhone/common";
import type { Warnings } from "../answers/answer-frame.js";
import { RequestError } from "../request-error.js";

/** How a field of a chat begins, and what an API with other names calls it, as `String.replace` takes them. */
export type Renaming = readonly [RegExp, string | ((found: string, ...groups: string[]) => string)];

/** The message of a chat, by its index, in the words of the API that the chat was made from. */
export const messageNamed = (nameOf: (index: number) => string): Renaming => [
  /^messages\.(\d+)/,
  (_, index) => nameOf(Number(index)),
];

/**
 * What `prepare` returns. Throws what it throws; a refusal that names a field of a chat names the field of the API that
 * the chat was made from.
 */
export async function inWordsOf<T>(names: readonly Renaming[], prepare: () => Promise<T>): Promise<T> {
  return prepare().catch((error: unknown) => {
    throw error instanceof RhoneError ? renamed(names, error) : error;
  });
}

/** Warnings about fields of a chat, by the names of the API that the chat was made from. */
export const warningsInWordsOf = (names: readonly Renaming[], warnings: Warnings): Warnings =>
  warnings.map((warning) => ({ ...warning, param: nameIn(names, warning.param) ?? warning.param }));

/** What the API calls a chat's field; undefined: as the chat does. */
function nameIn(names: readonly Renaming[], param: string | undefined): string | undefined {
  if (param === undefined) return undefined;
  const [pattern, name] = names.find(([ofChat]) => ofChat.test(param)) ?? [];
  if (pattern === undefined || name === undefined) return undefined;
  return typeof name === "string" ? param.replace(pattern, name) : param.replace(pattern, name);
}

function renamed(names: readonly Renaming[], error: RhoneError): RhoneError {
  const { param } = error;
  const own = nameIn(names, param);
  if (param === undefined || own === undefined) return error;
  const more = error instanceof RequestError ? error : undefined;
  return new RequestError(
    error.code,
    error.message.replace(param, () => own),
    {
      param: own,
      ...(more?.apiCode !== undefined && { apiCode: more.apiCode }),
      ...(more?.headers !== undefined && { headers: more.headers }),
      details: more?.details ?? {},
    },
  );
}
