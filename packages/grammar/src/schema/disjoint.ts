import { isObject, type Keywords } from "./json-schema.js";

/** Whether types, required properties or their constants show that no value satisfies two of the branches. */
export function areDisjoint(branches: readonly unknown[]): boolean {
  return branches.every((a, i) => branches.slice(i + 1).every((b) => differ(a, b)));
}

function differ(a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return a === false || b === false;
  const [valuesA, valuesB] = [valuesOf(a), valuesOf(b)];
  if (valuesA !== undefined && valuesB !== undefined) return !valuesA.some((value) => valuesB.includes(value));
  const [typesA, typesB] = [typesOf(a), typesOf(b)];
  if (typesA !== undefined && typesB !== undefined && !typesA.some((type) => typesB.includes(type))) return true;
  if (typesA?.join() !== "object" || typesB?.join() !== "object") return false;
  return requiresForbidden(a, b) || requiresForbidden(b, a) || differByProperty(a, b);
}

/** Whether one requires a property that the other does not allow. */
function requiresForbidden({ required }: Keywords, { properties = {}, ...other }: Keywords): boolean {
  if (!Array.isArray(required) || other.additionalProperties !== false || other.patternProperties !== undefined)
    return false;
  return isObject(properties) && required.some((name) => !Object.hasOwn(properties, name));
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
