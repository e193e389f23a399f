import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { expect } from "vitest";
import type { Schema } from "./schema-parts.js";

const ajv = new Ajv2020({ strict: true, allErrors: true });
const compiled = new Map<Schema, ValidateFunction>();

/** Fails unless the value satisfies all the schemas, and names the places where it does not. */
export function keepsTo(value: unknown, ...schemas: readonly Schema[]): void {
  for (const schema of schemas) {
    const validate = compiled.get(schema) ?? ajv.compile(schema);
    compiled.set(schema, validate);
    const problems = validate(value) ? [] : (validate.errors ?? []);
    const told = problems.map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
    expect(told, JSON.stringify(value).slice(0, 2000)).toEqual([]);
  }
}
