import { isObject } from "./json-schema.js";

/** Whether no value can satisfy two of the branches, seen from their types and from constants of required properties. */
export function areDisjoint(branches: readonly unknown[]): boolean {
  return branches.every((a, i) => branches.slice(i + 1).every((b) => differ(a, b)));
}

function differ(a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return a === false || b === false;
  const [valuesA, valuesB] = [valuesOf(a), valuesOf(b)];
  if (valuesA !== undefined && valuesB !== undefined) return !valuesA.some((value) => valuesB.includes(value));
  const [typesA, typesB] = [typesOf(a), typesOf(b)];
  if (typesA !== undefined && typesB !== undefined && !typesA.some((type) => typesB.includes(type))) return true;
  return typesA?.join() === "object" && typesB?.join() === "object" && differByProperty(a, b);
}

type Branch = { readonly [key: string]: unknown };

function differByProperty(a: Branch, b: Branch): boolean {
  const [requiredA, requiredB] = [a.required, b.required];
  if (!Array.isArray(requiredA) || !Array.isArray(requiredB)) return false;
  const both = requiredA.filter((name) => requiredB.includes(name));
  const property = (branch: Branch, name: string) =>
    isObject(branch.properties) ? branch.properties[name] : undefined;
  return both.some((name) => {
    const [first, second] = [property(a, name), property(b, name)];
    return (
      isObject(first) &&
      isObject(second) &&
      (valuesOf(first) ?? valuesOf(second)) !== undefined &&
      differ(first, second)
    );
  });
}

/** Constants, as JSON. */
function valuesOf(branch: Branch): readonly string[] | undefined {
  if (branch.const !== undefined) return [JSON.stringify(branch.const)];
  return Array.isArray(branch.enum) ? branch.enum.map((value) => JSON.stringify(value)) : undefined;
}

function typesOf({ type }: Branch): readonly string[] | undefined {
  if (type === undefined) return undefined;
  const names = (Array.isArray(type) ? type : [type]).map(String);
  return names.includes("number") ? [...names, "integer"] : names;
}
