/** A JSON schema as it was sent: true, false, or an object whose keywords nobody has looked at yet. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

export const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
