// JSON schemas for kubeconform, one file for each kind and version, each whole and strict: nothing but what a schema
// names is allowed, as a typing error is otherwise ignored by the API server or, in a custom resource, dropped.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";

const DEFS = "#/$defs/";
const LEADERWORKERSET = join(dirname(fileURLToPath(import.meta.url)), "leaderworkerset.yaml");

/** Calls `change` with each object in a tree, those inside first; what it returns replaces it. */
function mapObjects(node, change) {
  if (Array.isArray(node)) return node.map((each) => mapObjects(each, change));
  if (node === null || typeof node !== "object") return node;
  return change(Object.fromEntries(Object.entries(node).map(([key, value]) => [key, mapObjects(value, change)])));
}

/** A schema of Kubernetes with all definitions that it refers to. */
function whole(schema, all) {
  const definitions = {};
  const local = (node) =>
    mapObjects(node, (object) => {
      if (typeof object.$ref !== "string") return object;
      const name = object.$ref.slice(object.$ref.indexOf(DEFS) + DEFS.length);
      if (!(name in definitions)) {
        definitions[name] = null; // some refer to themselves
        definitions[name] = local(all[name]);
      }
      return { ...object, $ref: `${DEFS}${name}` };
    });
  const { $id: _, ...rest } = local(schema);
  return { ...rest, $defs: definitions };
}

/** What a custom resource's schema allows, and no more. */
const strict = (schema) =>
  mapObjects(schema, (object) => {
    if ("x-kubernetes-int-or-string" in object) return { oneOf: [{ type: "integer" }, { type: "string" }] };
    const isOpen = "additionalProperties" in object || object["x-kubernetes-preserve-unknown-fields"] === true;
    const isSchema = object.type === "object" && typeof object.properties === "object";
    return isSchema && !isOpen ? { ...object, additionalProperties: false } : object;
  });

function customResource(version) {
  const { properties, ...rest } = strict(version.schema.openAPIV3Schema);
  const { metadata: _, ...own } = properties;
  return { ...rest, properties: { ...own, metadata: { type: "object" } }, $id: undefined };
}

/** The definition of LeaderWorkerSets, whose pods' schemas are Kubernetes' own: `resolve` gives one by its name. */
export function leaderWorkerSet(resolve) {
  const [document] = parseAllDocuments(readFileSync(LEADERWORKERSET, "utf8"));
  return mapObjects(document.toJS(), (object) => {
    const { $kubernetes: name, ...rest } = object;
    return name === undefined ? object : { ...resolve(name), ...rest };
  });
}

/** Of files with definitions, as objects. */
export const definitionsIn = (folder) =>
  readdirSync(folder)
    .flatMap((file) => parseAllDocuments(readFileSync(join(folder, file), "utf8")).map((each) => each.toJS()))
    .filter((each) => each?.kind === "CustomResourceDefinition");

/** Into an empty folder. @param {{ kubernetes: string, definitions: string, out: string }} folders */
export function writeSchemas({ kubernetes, definitions, out }) {
  const read = (file) => JSON.parse(readFileSync(join(kubernetes, file), "utf8"));
  const all = read("_definitions.json").$defs;
  const write = (name, schema) => writeFileSync(join(out, name), JSON.stringify(schema));
  for (const file of readdirSync(kubernetes).filter((each) => !each.startsWith("_"))) {
    const schema = read(file);
    if ("x-kubernetes-group-version-kind" in schema) write(file, whole(schema, all));
  }
  const needed = {};
  const lws = leaderWorkerSet((name) => {
    const { $defs, ...rest } = whole({ $ref: `${DEFS}${name}` }, all);
    Object.assign(needed, $defs);
    return rest;
  });
  for (const definition of [lws, ...definitionsIn(definitions)]) {
    const { group, names, versions } = definition.spec;
    for (const version of versions) {
      const file = `${names.kind.toLowerCase()}-${group.split(".")[0]}-${version.name}.json`;
      write(file, { ...customResource(version), ...(definition === lws && { $defs: needed }) });
    }
  }
}
