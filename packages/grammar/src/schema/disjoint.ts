import { isObject, type Keywords } from "./json-schema.js";

/** Whether types, or constants of required properties, show that no value satisfies two of the branches. */
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

function differByProperty(a: Keywords, b: Keywords): boolean {
  const [requiredA, requiredB] = [a.required, b.required];
  if (!Array.isArray(requiredA) || !Array.isArray(requiredB)) return false;
  const both = requiredA.filter((name) => requiredB.includes(name));
  const property = (branch: Keywords, name: string) =>
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

/** The values of const or enum, as JSON. */
function valuesOf(branch: Keywords): readonly string[] | undefined {
  if (branch.const !== undefined) return [JSON.stringify(branch.const)];
  return Array.isArray(branch.enum) ? branch.enum.map((value) => JSON.stringify(value)) : undefined;
}

function typesOf({ type }: Keywords): readonly string[] | undefined {
  if (type === undefined) return undefined;
  const names = (Array.isArray(type) ? type : [type]).map(String);
  return names.includes("number") ? [...names, "integer"] : names;
}
