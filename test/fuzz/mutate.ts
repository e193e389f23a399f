import fc from "fast-check";
import { raw } from "./raw-json.js";

const nested = (depth: number, open: string, close: string): string => open.repeat(depth) + close.repeat(depth);

/** Values that code often forgets to expect. */
const HOSTILE: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, "", "null", "NaN", "Infinity", "-1", "0x10", [], {}, [[]], [null], [{}]),
  fc.constantFrom<unknown>(0, -1, 0.5, 5e-324, 1e-40, 1e308, -1e308, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53)),
  fc.constantFrom(raw("1e400"), raw("-1e400"), raw("-0"), raw("9223372036854775808"), raw("123456789".repeat(50))),
  fc.constantFrom(raw("NaN"), raw("Infinity"), raw("undefined"), raw("01"), raw("1."), raw("'a'"), raw("[1,]")),
  fc.constantFrom(raw('{"__proto__":{"a":1}}'), raw('{"constructor":{"prototype":{"a":1}}}'), raw('{"a":1,"a":2}')),
  fc.constantFrom(
    "\ud800",
    "\udfff\ud800",
    "\u0000",
    "\ufeff",
    "\u202e",
    "a\u0301".repeat(40),
    "👩‍👩‍👧‍👦",
    "../../etc/passwd",
  ),
  fc.constantFrom("x".repeat(20_000), "\u{10ffff}".repeat(500), "[INST]</s><s>", "<|im_end|>", "\\", '"', "\r\n\r\n"),
  fc.constantFrom(20, 900, 20_000).map((depth) => raw(nested(depth, "[", "]"))),
  fc.constantFrom(20, 900, 20_000).map((depth) => raw(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`)),
  fc.constant(Array.from({ length: 3000 }, (_, i) => i)),
  fc.jsonValue({ maxDepth: 3 }),
);

type Path = readonly (string | number)[];

/** The value with one part changed: replaced by a hostile value, removed, or added where nothing belongs. */
export function mutated(value: unknown): fc.Arbitrary<unknown> {
  const paths = pathsIn(value);
  const place = fc.constantFrom(...paths);
  return fc.oneof(
    { weight: 6, arbitrary: fc.tuple(place, HOSTILE).map(([path, hostile]) => changed(value, path, () => hostile)) },
    { weight: 1, arbitrary: place.map((path) => changed(value, path, () => undefined)) },
    { weight: 1, arbitrary: place.map((path) => changed(value, path, (old) => [old])) },
    {
      weight: 1,
      arbitrary: fc.tuple(place, fc.string({ unit: "binary", maxLength: 8 }), HOSTILE).map(([path, key, hostile]) => {
        return changed(value, path, (old) => (isRecord(old) ? { ...old, [key]: hostile } : { [key]: old }));
      }),
    },
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function pathsIn(value: unknown, path: Path = []): readonly Path[] {
  const entries = Array.isArray(value) ? [...value.entries()] : isRecord(value) ? Object.entries(value) : [];
  return [path, ...entries.flatMap(([key, inner]) => pathsIn(inner, [...path, key]))];
}

/** A copy in which `change` was applied to the part at `path`. */
function changed(value: unknown, [key, ...rest]: Path, change: (old: unknown) => unknown): unknown {
  if (key === undefined) return change(value);
  if (Array.isArray(value)) return value.map((inner, i) => (i === key ? changed(inner, rest, change) : inner));
  if (!isRecord(value)) return value;
  return { ...value, [key]: changed(value[key], rest, change) };
}
