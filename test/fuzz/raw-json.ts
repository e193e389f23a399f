const MARK = "\u0001raw:";

/** Marks JSON that `JSON.stringify` would never write: `1e400`, NaN, a text of a hundred thousand brackets. */
export const raw = (json: string): string => `${MARK}${json}`;

/** The value's JSON, with marked texts unchanged. */
export function writeJson(value: unknown): string {
  const parts: string[] = [];
  const json = JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== "string" || !inner.startsWith(MARK)) return inner;
    parts.push(inner.slice(MARK.length));
    return `${MARK}${parts.length - 1}`;
  });
  return (json ?? "").replace(/"\\u0001raw:(\d+)"/g, (_, index: string) => parts[Number(index)] ?? "null");
}
