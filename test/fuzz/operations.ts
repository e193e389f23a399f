/** The part of JSON schema that the OpenAPI document uses. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly propertyNames?: JsonSchema;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

/** One operation of the API, as its document describes it. */
export interface Operation {
  readonly method: string;
  /** With `{name}` in place of each parameter. */
  readonly path: string;
  readonly body: JsonSchema | undefined;
  readonly query: Readonly<Record<string, JsonSchema>>;
  /** The schema of a 200 that is JSON. */
  readonly answer: JsonSchema | undefined;
}

interface Content {
  readonly content?: { readonly "application/json"?: { readonly schema?: JsonSchema } };
}

interface Described {
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly schema: JsonSchema }[];
  readonly requestBody?: Content;
  readonly responses?: { readonly 200?: Content };
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
}

/** Its answer has no end. */
const ENDLESS = "/status/stream";

/** Every operation of the document whose answer ends. */
export function operationsOf({ paths }: OpenApiDocument): readonly Operation[] {
  return Object.entries(paths)
    .filter(([path]) => path !== ENDLESS)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { parameters = [], requestBody, responses }]) => ({
        method: method.toUpperCase(),
        path,
        body: schemaOf(requestBody),
        query: Object.fromEntries(
          parameters.filter((one) => one.in === "query").map(({ name, schema }) => [name, schema]),
        ),
        answer: schemaOf(responses?.[200]),
      })),
    );
}

const schemaOf = (content: Content | undefined): JsonSchema | undefined =>
  content?.content?.["application/json"]?.schema;
