import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { JsonSchema } from "../schema/json-schema.js";

const ajv = new Ajv2020({ strict: false, validateFormats: true });
// The package is CommonJS whose default export is the function.
(addFormats as unknown as (target: Ajv2020) => void)(ajv);

/** Ajv's verdict on JSON texts of a schema: null for a valid one, otherwise its complaints. */
export function judgeOf(schema: JsonSchema): (text: string) => string | null {
  const validate = ajv.compile(schema);
  return (text) => (validate(JSON.parse(text)) ? null : `${text}: ${ajv.errorsText(validate.errors)}`);
}
