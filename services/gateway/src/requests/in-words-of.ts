import { RhoneError } from "@rhone/common";
import { RequestError } from "../request-error.js";

/** How a field of a chat begins, and what an API with other names calls it. */
export type Renaming = readonly [RegExp, string];

/**
 * What `prepare` returns. Throws what it throws; a refusal that names a field of a chat names the field of the API that
 * the chat was made from.
 */
export async function inWordsOf<T>(names: readonly Renaming[], prepare: () => Promise<T>): Promise<T> {
  return prepare().catch((error: unknown) => {
    throw error instanceof RhoneError ? renamed(names, error) : error;
  });
}

function renamed(names: readonly Renaming[], error: RhoneError): RhoneError {
  const { param } = error;
  const [pattern, name] = names.find(([ofChat]) => param !== undefined && ofChat.test(param)) ?? [];
  if (param === undefined || pattern === undefined || name === undefined) return error;
  const more = error instanceof RequestError ? error : undefined;
  const own = param.replace(pattern, name);
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
