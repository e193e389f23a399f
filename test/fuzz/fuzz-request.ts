import fc from "fast-check";
import { HINTS, ID_MARKS } from "./hints.js";
import { mutated } from "./mutate.js";
import type { Operation } from "./operations.js";
import { writeJson } from "./raw-json.js";
import { schemaArbitrary } from "./schema-arbitrary.js";

/** When the client leaves: never, after sending the request, or after the first bytes of the answer. */
export type Leaving = "never" | "at once" | "at first bytes";

/** One request that an HTTP client can send. */
export interface FuzzRequest {
  readonly kind: "valid" | "nearly valid" | "garbage" | "form";
  readonly operation: Operation;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  readonly leaves: Leaving;
}

const LEAVING = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Leaving>("never") },
  { weight: 1, arbitrary: fc.constant<Leaving>("at once") },
  { weight: 1, arbitrary: fc.constant<Leaving>("at first bytes") },
);

const JSON_TYPE = { "content-type": "application/json" };

const HEADERS = fc.oneof(
  { weight: 8, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Record<string, string>>(
      { "x-request-id": "a b" },
      { "x-request-id": "x".repeat(5000) },
      { "last-event-id": "1:0:0" },
      { "last-event-id": "\u00ff" },
      { accept: "text/html;q=nonsense" },
      { "accept-encoding": "br;q=2, *" },
      { origin: "null" },
      { authorization: "Bearer \u00e9" },
      { range: "bytes=9-1" },
      { "if-none-match": '"a"' },
      { "idempotency-key": "k" },
      { "idempotency-key": "\u00ff".repeat(300) },
      { "x-api-key": "none" },
    ),
  },
);

/** Requests for one operation of the API: valid, nearly valid, and garbage. */
export function fuzzRequests(operation: Operation): fc.Arbitrary<FuzzRequest> {
  const { body, method, path } = operation;
  if (body !== undefined) return bodied(operation, schemaArbitrary(body, HINTS));
  if (method === "POST" && path === "/v1/files") return forms(operation);
  const empty = { kind: "valid" as const, body: undefined };
  return fc.tuple(paths(operation), HEADERS, LEAVING).map(([url, headers, leaves]) => {
    return { operation, path: url, headers, leaves, ...empty };
  });
}

function bodied(operation: Operation, valid: fc.Arbitrary<unknown>): fc.Arbitrary<FuzzRequest> {
  const kinds = fc.oneof(
    { weight: 3, arbitrary: valid.map((value) => ({ kind: "valid" as const, body: Buffer.from(writeJson(value)) })) },
    {
      weight: 5,
      arbitrary: valid
        .chain(mutated)
        .map((value) => ({ kind: "nearly valid" as const, body: Buffer.from(writeJson(value)) })),
    },
    { weight: 1, arbitrary: garbage(valid).map((body) => ({ kind: "garbage" as const, body })) },
  );
  const types = fc.oneof(
    { weight: 20, arbitrary: fc.constant("application/json") },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "application/json; charset=utf-16",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "application/",
        "/",
        "",
        "application/json, text/plain",
      ),
    },
  );
  return fc.tuple(kinds, paths(operation), HEADERS, types, LEAVING).map(([made, path, headers, type, leaves]) => {
    return { operation, path, headers: { ...JSON_TYPE, ...headers, "content-type": type }, leaves, ...made };
  });
}

const INVALID_UTF8 = Buffer.from([0xc3, 0x28, 0xff, 0xfe, 0xed, 0xa0, 0x80]);

/** Bodies that are not JSON, most of them JSON that was damaged. */
function garbage(valid: fc.Arbitrary<unknown>): fc.Arbitrary<Buffer> {
  const text = valid.map(writeJson);
  return fc.oneof(
    fc.tuple(text, fc.nat(200)).map(([json, at]) => Buffer.from(json.slice(0, at))),
    text.map((json) => Buffer.from(`${json}${json}`)),
    text.map((json) => Buffer.from(`\ufeff${json}`)),
    text.map((json) => Buffer.from(json, "utf16le")),
    text.map((json) => Buffer.from(json.replaceAll('"', "'"))),
    fc.tuple(text, fc.nat(100)).map(([json, at]) => {
      const bytes = Buffer.from(json);
      return Buffer.concat([bytes.subarray(0, at), INVALID_UTF8, bytes.subarray(at)]);
    }),
    fc
      .tuple(text, fc.nat(50))
      .map(([json, at]) => Buffer.from(json.replace(/"[^"]*"/, `"${"\\u00".slice(0, at % 6)}"`))),
    fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom(
        "",
        " ",
        "null",
        "1",
        '"a"',
        "[]",
        "true",
        "\u0000",
        "{",
        "}",
        "[".repeat(50_000),
        '{"":'.repeat(50_000),
      )
      .map((json) => Buffer.from(json)),
  );
}

const LINE = { custom_id: "a", method: "POST", url: "/v1/completions", body: { prompt: "The", max_tokens: 2 } };

/** Uploads; many of the forms are broken. */
function forms(operation: Operation): fc.Arbitrary<FuzzRequest> {
  const lines = fc.array(fc.oneof(fc.constant(LINE), mutated(LINE)), { minLength: 1, maxLength: 5 });
  const content = fc.oneof(
    lines.map((all) => all.map((line, i) => writeJson(uniqueLine(line, i))).join("\n")),
    fc.string({ unit: "binary", maxLength: 50 }),
  );
  const fields = fc.record({
    purpose: fc.oneof(
      { weight: 4, arbitrary: fc.constant("batch") },
      fc.constantFrom("", "fine-tune", "x".repeat(9000)),
    ),
    filename: fc.constantFrom("a.jsonl", "", "../a", 'a"b', "ü.jsonl", "\u0000"),
    field: fc.constantFrom("file", "File", "__proto__", "purpose", ""),
    boundary: fc.constantFrom("b", "b", "b", "other", ""),
    end: fc.constantFrom("--b--\r\n", "--b--\r\n", "", "--b", "\r\n--b\r\n"),
    content,
  });
  return fc.tuple(fields, LEAVING).map(([made, leaves]) => {
    const { purpose, filename, field, boundary, end } = made;
    const part = (disposition: string, value: string) =>
      `--b\r\ncontent-disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`;
    const text = part('name="purpose"', purpose) + part(`name="${field}"; filename="${filename}"`, made.content) + end;
    const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
    return { kind: "form", operation, path: "/v1/files", headers, body: Buffer.from(text), leaves };
  });
}

const uniqueLine = (line: unknown, index: number): unknown =>
  typeof line === "object" && line !== null && "custom_id" in line && line.custom_id === "a"
    ? { ...line, custom_id: `a${index}` }
    : line;

/** Whose ids are in the paths below /v1. */
const MARKS: Readonly<Record<string, string>> = {
  files: ID_MARKS.file,
  batches: ID_MARKS.batch,
  batch: ID_MARKS.batch,
  responses: ID_MARKS.response,
};

/** The path with a value in place of each parameter, and a query. */
function paths({ path, query }: Operation): fc.Arbitrary<string> {
  const [, , named = ""] = path.split("/");
  const known = MARKS[named] ?? ID_MARKS.stream;
  const parameter = fc.oneof(
    { weight: 4, arbitrary: fc.constant(path.includes("model") ? "breeze" : known) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        "%zz",
        "%00",
        "%2e%2e%2f%2e%2e",
        "..",
        "file-0",
        "file-0123456789abcdef01234567",
        "%ff%fe",
        "a".repeat(3000),
        "*",
        ":id",
        "%F0%9F%A6%86",
        "a%2Fb",
      ),
    },
    {
      weight: 1,
      // With an empty one the path is a list's, whose slash at the end changes nothing.
      arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 8 }).map((text) => encoded(text)),
    },
  );
  const names = Object.keys(query);
  const fields = schemaArbitrary({ type: "object", properties: query }, HINTS).map((values) =>
    queryText(values as object),
  );
  const junk = fc.constantFrom(
    "?",
    "?&&&",
    "?a[b]=1&a[b]=2",
    "?limit=%zz",
    "?=&=",
    "?limit=1&limit=2",
    "?__proto__[x]=1",
  );
  const search = fc.oneof(
    { weight: 4, arbitrary: names.length > 0 ? fields : fc.constant("") },
    { weight: 1, arbitrary: junk },
  );
  return fc
    .tuple(parameter, search)
    .map(([value, text]) => path.replace(/\{\w+\}/g, value.replaceAll("$", "$$$$")) + text);
}

function queryText(values: object): string {
  const pairs = Object.entries(values).map(([name, value]) => {
    return `${name}=${encoded(String(typeof value === "object" ? JSON.stringify(value) : value))}`;
  });
  return pairs.length > 0 ? `?${pairs.join("&")}` : "";
}

/** Lone surrogates become replacement characters, since no URL can hold them. */
const encoded = (text: string): string => encodeURIComponent(Buffer.from(text).toString());
