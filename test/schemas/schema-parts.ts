/** A JSON schema. */
export type Schema = Readonly<Record<string, unknown>>;

export const text: Schema = { type: "string" };
export const whole: Schema = { type: "integer" };
export const count: Schema = { type: "integer", minimum: 0 };
export const number: Schema = { type: "number" };
export const flag: Schema = { type: "boolean" };
export const anything: Schema = {};
/** Unix seconds, no milliseconds. */
export const seconds: Schema = { type: "integer", minimum: 1_600_000_000, maximum: 10_000_000_000 };

export const one = (value: unknown): Schema => ({ const: value });
export const among = (...values: readonly unknown[]): Schema => ({ enum: values });
export const list = (items: Schema): Schema => ({ type: "array", items });
export const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: "null" }] });
export const mapOf = (values: Schema): Schema => ({ type: "object", additionalProperties: values });

/** The fields of an object: the official description's, and the additions of Rhone or the other API. */
export interface Fields {
  readonly required: Readonly<Record<string, Schema>>;
  readonly optional?: Readonly<Record<string, Schema>>;
  readonly ours?: Readonly<Record<string, Schema>>;
}

/** An object with these fields and no others. */
export const exactly = ({ required, optional, ours }: Fields): Schema => ({
  type: "object",
  properties: { ...required, ...optional, ...ours },
  required: Object.keys(required),
  additionalProperties: false,
});
