import { describe, expect, it } from "vitest";
import { z } from "zod";
import { describeSettings, loadConfig, parseSettings, type Settings, settingDescriptions } from "./load-config.js";
import { booleanSchema, hostSetting, kvTypeSchema, portSchema, redisUrlSchema, withoutPassword } from "./schemas.js";

const settings = {
  host: { ...hostSetting, env: "HOST", doc: "The address to bind." },
  opsPort: { env: "OPS_PORT", schema: portSchema.default(7101), doc: "The port of health and metrics." },
  kvType: { env: "KV_TYPE", schema: kvTypeSchema.optional(), doc: "f16, f32 or q8_0." },
} as const satisfies Settings;

const load = (env: Record<string, string>, ...argv: string[]) => loadConfig(settings, env, argv);

describe("loadConfig", () => {
  it.each([
    ["the default", {}, [], 7101],
    ["the variable over the default", { OPS_PORT: "1" }, [], 1],
    ["the flag over the variable", { OPS_PORT: "1" }, ["--ops-port", "2"], 2],
    ["a flag with an equals sign", {}, ["--ops-port=2"], 2],
    ["the last of two equal flags", {}, ["--ops-port", "2", "--ops-port", "3"], 3],
    ["the default for an empty variable", { OPS_PORT: "" }, [], 7101],
    ["0 as a value", { OPS_PORT: "0" }, [], 0],
  ])("takes %s", (_, env, argv, opsPort) => expect(load(env, ...argv).opsPort).toBe(opsPort));

  it("leaves an optional setting undefined", () => expect(load({})).toHaveProperty("kvType", undefined));

  it("returns a frozen object of all settings and nothing else", () => {
    const config = load({ OTHER: "1" });
    expect(Object.keys(config)).toEqual(["host", "opsPort", "kvType"]);
    expect(Object.isFrozen(config)).toBe(true);
  });

  it.each([
    ["a flag", {}, ["--ops-port", "http"], "--ops-port http is not a number. The port of health and metrics."],
    ["a variable", { OPS_PORT: "http" }, [], "OPS_PORT=http is not a number. The port of health and metrics."],
    ["a fraction", { OPS_PORT: "1.5" }, [], "OPS_PORT=1.5 is not a whole number. The port of health and metrics."],
    ["too small", { OPS_PORT: "-1" }, [], "OPS_PORT=-1 is less than 0. The port of health and metrics."],
    ["too large", { OPS_PORT: "65536" }, [], "OPS_PORT=65536 is more than 65535. The port of health and metrics."],
    ["none of a list", { KV_TYPE: "q4" }, [], "KV_TYPE=q4 is not one of f16, f32, q8_0. f16, f32 or q8_0."],
  ])("says what is wrong with %s", (_, env, argv, problem) => {
    expect(() => load(env, ...argv)).toThrow(
      expect.objectContaining({ code: "INVALID_CONFIG", message: `Bad settings:\n  ${problem}` }),
    );
  });

  it("does not say of 0 that it is less than 0, where a value must be positive", () => {
    const settings = { timeout: { env: "TIMEOUT", schema: z.coerce.number().positive(), doc: "Seconds." } };
    expect(() => loadConfig(settings, { TIMEOUT: "0" }, [])).toThrow("TIMEOUT=0 is not above 0. Seconds.");
  });

  it.each([
    ["an unknown flag", ["--opsport", "1"], "'--opsport'"],
    ["a flag without its value", ["--ops-port"], "'--ops-port <value>' argument missing"],
    ["a word that belongs to no flag", ["7101"], "'7101'"],
  ])("refuses %s", (_, argv, problem) => expect(() => load({}, ...argv)).toThrow(problem));

  it("names all problems in one message", () => {
    const broken = () => load({ OPS_PORT: "x", KV_TYPE: "q4", HOST: "here" }, "--nothing", "1");
    expect(broken).toThrow(/^Bad settings:\n {2}.*'--nothing'.*\n {2}OPS_PORT=x .*\n {2}KV_TYPE=q4 .*$/);
  });

  it("can be told without a failure, beside the settings that are right", () => {
    const { config, problems } = parseSettings(settings, { OPS_PORT: "x", KV_TYPE: "f16" }, []);
    expect(config).toEqual({ host: "127.0.0.1", kvType: "f16" });
    expect(problems).toEqual(["OPS_PORT=x is not a number. The port of health and metrics."]);
  });

  it("names flag and variable of a required setting", () => {
    const required = { modelPath: { env: "MODEL", schema: z.string().min(1), doc: "The GGUF file." } };
    expect(() => loadConfig(required, { MODEL: "" }, [])).toThrow("--model-path or MODEL is required. The GGUF file.");
  });

  it("shows no password of a URL that is wrong", () => {
    const urls = { url: { env: "URL", schema: redisUrlSchema, doc: "A Redis." } };
    const read = () => loadConfig(urls, { URL: "http://me:secret@there:6379" }, []);
    expect(read).toThrow("URL=http://***@there:6379 is not a redis://, rediss://, unix:// or rhone:// URL. A Redis.");
  });
});

describe("describing settings", () => {
  const schema = z.string().optional();
  it.each([
    ["the schema's default", { schema: portSchema.default(80) }, "80"],
    ["none", { schema }, ""],
    ["a required one", { schema: z.string() }, "required"],
    ["words for an optional one", { schema, defaultText: "all cores" }, "all cores"],
    ["words instead of a random one", { schema: schema.default("x7"), defaultText: "random" }, "random"],
    ["false", { schema: booleanSchema.default(false) }, "false"],
    [
      "a list",
      {
        schema: z
          .string()
          .default("1,2")
          .transform((list) => list.split(",")),
      },
      "1,2",
    ],
  ])("shows the default: %s", (_, setting, expected) => {
    const [row] = settingDescriptions({ someName: { env: "NAME", doc: "A name.", ...setting } });
    expect(row).toEqual({
      flag: "--some-name",
      env: "NAME",
      doc: "A name.",
      default: expected,
      range: expect.any(String),
    });
  });

  const number = z.coerce.number();
  it.each([
    ["both bounds", portSchema.default(80), "0 to 65535"],
    ["the least of whole numbers", number.int().min(1).optional(), "at least 1"],
    ["the most", number.max(9.5), "at most 9.5"],
    [
      "the bounds before a transformation",
      number
        .min(2)
        .default(3)
        .transform((n) => n * 2),
      "at least 2",
    ],
    ["the bounds of numbers beside a word", z.union([z.literal("auto"), number.min(4)]).default("auto"), "at least 4"],
    ["none of any number", number.int(), ""],
    ["none of text", z.string().min(1).max(3), ""],
    ["none of a choice", booleanSchema.default(false), ""],
  ])("shows the range: %s", (_, schema, range) => {
    expect(settingDescriptions({ name: { env: "NAME", doc: "A name.", schema } })).toMatchObject([{ range }]);
  });

  it("aligns flags, variables and meanings", () => {
    expect(describeSettings(settings)).toBe(
      [
        "  --host      HOST      The address to bind. Default: 127.0.0.1.",
        "  --ops-port  OPS_PORT  The port of health and metrics. Default: 7101. Takes 0 to 65535.",
        "  --kv-type   KV_TYPE   f16, f32 or q8_0.",
      ].join("\n"),
    );
  });
});

describe("schemas", () => {
  it.each([
    [
      booleanSchema,
      { true: true, yes: true, on: true, 1: true, TRUE: true, false: false, no: false, off: false, 0: false },
    ],
    [portSchema, { 0: 0, 65535: 65535 }],
    [
      redisUrlSchema,
      Object.fromEntries(["redis://a", "redis://[::1]:1", "rediss://a:1/2", "unix:///tmp/x"].map((url) => [url, url])),
    ],
  ])("read texts", (schema, values) => {
    for (const [text, value] of Object.entries(values)) expect(schema.parse(text), text).toBe(value);
  });

  it.each([
    [booleanSchema, ["", "2", "maybe"]],
    [portSchema, ["x", "-1", "1.5", "65536"]],
    [redisUrlSchema, ["", "http://a", "127.0.0.1:6379", "redis://::1:6379"]],
  ])("refuse others", (schema, texts) => {
    for (const text of texts) expect(schema.safeParse(text).success, text).toBe(false);
  });

  it.each([
    ["redis://user:secret@there:1", "redis://***@there:1"],
    ["redis://:secret@there", "redis://***@there"],
    ["redis://there:1/0", "redis://there:1/0"],
    ["unix:///tmp/a@b", "unix:///tmp/a@b"],
  ])("%s without its password is %s", (url, shown) => expect(withoutPassword(url)).toBe(shown));
});
