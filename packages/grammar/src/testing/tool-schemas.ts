import type { Keywords } from "../schema/json-schema.js";

export interface ToolCase {
  readonly name: string;
  readonly schema: Keywords;
  readonly valid: unknown;
  readonly invalid: unknown;
}

const REGIONS = ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"]
  .concat(["eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1", "eu-south-1"])
  .concat(["ap-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-southeast-1", "ap-southeast-2"]);
const SIZES = ["t3", "t4g", "m5", "m6i", "m7g", "c5", "c6i", "c7g", "r5", "r6i"].flatMap((family) =>
  ["nano", "micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge"].map((size) => `${family}.${size}`),
);
const KEYS = [..."abcdefghijklmnopqrstuvwxyz0123456789", "Enter", "Tab", "Escape", "Backspace", "Delete", "Home", "End"]
  .concat(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "PageUp", "PageDown"])
  .concat(Array.from({ length: 12 }, (_, i) => `F${i + 1}`));
const object = (properties: Keywords, required: readonly string[] = Object.keys(properties)): Keywords => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});
const nullable = (schema: Keywords): Keywords => ({ anyOf: [schema, { type: "null" }], default: null });
const text = (description: string, more: Keywords = {}): Keywords => ({ type: "string", description, ...more });

/** Tools as servers of the Model Context Protocol describe theirs, each with arguments that fit and some that don't. */
export const TOOL_CASES: readonly ToolCase[] = [
  {
    name: "filesystem: edit_file",
    schema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      ...object(
        {
          path: text("File to change"),
          edits: {
            type: "array",
            items: object({ oldText: text("Text to find, which must match exactly"), newText: text("Replacement") }),
          },
          dryRun: { type: "boolean", default: false, description: "Show the changes as a diff without making them" },
        },
        ["path", "edits"],
      ),
    },
    valid: { path: "src/main.ts", edits: [{ oldText: 'say("a")\n', newText: "" }], dryRun: true },
    invalid: { path: "src/main.ts", edits: [{ oldText: "a" }] },
  },
  {
    name: "filesystem: search_files",
    schema: object(
      {
        path: text("Where the search begins", { minLength: 1, maxLength: 255 }),
        pattern: text("Glob of the files"),
        excludePatterns: { type: "array", items: { type: "string" }, maxItems: 20, default: [] },
        sortBy: { type: "string", enum: ["name", "size", "modified"], default: "name" },
        head: { type: "integer", minimum: 1, maximum: 1000 },
      },
      ["path", "pattern"],
    ),
    valid: { path: "/srv", pattern: "**/*.md", excludePatterns: ["node_modules"], sortBy: "size", head: 20 },
    invalid: { path: "/srv", pattern: "**/*.md", head: 1001 },
  },
  {
    name: "git: log",
    schema: {
      title: "GitLog",
      ...object(
        {
          repo_path: { title: "Repo Path", type: "string" },
          max_count: { title: "Max Count", type: "integer", default: 10 },
          start_timestamp: nullable(text("First commit's time", { title: "Start Timestamp" })),
          revision: text("Commit", { pattern: "^[0-9a-f]{7,40}$" }),
        },
        ["repo_path"],
      ),
    },
    valid: { repo_path: ".", max_count: 5, start_timestamp: null, revision: "0a1b2c3d" },
    invalid: { repo_path: ".", revision: "main" },
  },
  {
    name: "browser: fill_form",
    schema: object({
      fields: {
        type: "array",
        minItems: 1,
        items: object({
          name: text("Name for people"),
          type: { type: "string", enum: ["textbox", "checkbox", "radio", "combobox", "slider"] },
          ref: text("Exact reference of the element on the page", { pattern: "^e[0-9]{1,6}$" }),
          value: { anyOf: [{ type: "string" }, { type: "boolean" }] },
        }),
      },
    }),
    valid: { fields: [{ name: "Remember me", type: "checkbox", ref: "e15", value: true }] },
    invalid: { fields: [] },
  },
  {
    name: "browser: press_key",
    schema: object(
      {
        key: { type: "string", enum: KEYS },
        modifiers: { type: "array", items: { enum: ["Alt", "Control", "ControlOrMeta", "Meta", "Shift"] } },
        delay: { type: "number", minimum: 0, maximum: 5000 },
      },
      ["key"],
    ),
    valid: { key: "F12", modifiers: ["Control", "ControlOrMeta"], delay: 12.5 },
    invalid: { key: "F13" },
  },
  {
    name: "browser: navigate",
    schema: object(
      {
        url: text("Address of the page", { format: "uri" }),
        viewport: object({ width: { type: "integer", minimum: 1 }, height: { type: "integer", minimum: 1 } }),
        waitUntil: { const: "load" },
      },
      ["url"],
    ),
    valid: { url: "https://example.org/docs/a.html", viewport: { width: 1280, height: 720 }, waitUntil: "load" },
    invalid: { url: "example" },
  },
  {
    name: "issues: create_issue",
    schema: object(
      {
        owner: text("Account of the repository"),
        repo: text("Name of the repository"),
        title: text("Title", { minLength: 1, maxLength: 256 }),
        body: text("Text in Markdown"),
        assignees: { type: "array", items: { type: "string" }, maxItems: 10 },
        labels: { type: "array", items: { type: "string" } },
        milestone: { type: ["integer", "null"] },
      },
      ["owner", "repo", "title"],
    ),
    valid: { owner: "o", repo: "r", title: "It hangs ✗", labels: ["bug"], milestone: null },
    invalid: { owner: "o", repo: "r", title: "" },
  },
  {
    name: "issues: search_events",
    schema: object(
      {
        organizationSlug: text("Organization", { pattern: "^[a-z0-9][a-z0-9-]{0,49}$" }),
        dataset: { type: "string", enum: ["spans", "errors", "logs"] },
        issueId: text("Issue", { pattern: "^[A-Z]{2,10}-[0-9]+$" }),
        regionUrl: nullable({ type: "string", format: "uri" }),
        period: { enum: ["1h", "24h", "7d", "14d", "30d", "90d"] },
      },
      ["organizationSlug", "dataset"],
    ),
    valid: { organizationSlug: "acme-2", dataset: "logs", issueId: "WEB-17", regionUrl: null, period: "14d" },
    invalid: { organizationSlug: "acme-2", dataset: "metrics" },
  },
  {
    name: "SQL: query",
    schema: object(
      {
        sql: text("Statement that only reads"),
        params: { type: "array", items: { type: ["string", "number", "boolean", "null"] } },
        timeoutMs: { type: "integer", minimum: 1, maximum: 60_000 },
      },
      ["sql"],
    ),
    valid: { sql: "SELECT \"a\" FROM t WHERE b = $1 AND c < '2'", params: [1.5, null, "x", false], timeoutMs: 60_000 },
    invalid: { sql: "SELECT 1", params: [[1]] },
  },
  {
    name: "SQL: filter_rows",
    schema: {
      $defs: {
        column: text("Column", { pattern: "^[a-z_][a-z0-9_]*$" }),
        condition: {
          anyOf: [
            object({ column: { $ref: "#/$defs/column" }, op: { enum: ["=", "<>", "<", ">"] }, value: {} }),
            object({ all: { type: "array", items: { $ref: "#/$defs/condition" } } }),
            object({ any: { type: "array", items: { $ref: "#/$defs/condition" } } }),
          ],
        },
      },
      ...object({ table: { $ref: "#/$defs/column" }, where: { $ref: "#/$defs/condition" } }),
    },
    valid: { table: "t", where: { all: [{ column: "a", op: "<>", value: 3 }, { any: [] }] } },
    invalid: { table: "t", where: { all: [{ column: "a", op: "like", value: 3 }] } },
  },
  {
    name: "calendar: create_event",
    schema: {
      $defs: {
        time: {
          oneOf: [
            object({ date: { type: "string", format: "date" } }),
            object({ dateTime: { type: "string", format: "date-time" }, timeZone: { type: "string" } }, ["dateTime"]),
          ],
        },
      },
      ...object(
        {
          summary: text("Title"),
          start: { $ref: "#/$defs/time" },
          end: { $ref: "#/$defs/time" },
          attendees: {
            type: "array",
            items: object({ email: { type: "string", format: "email" }, optional: { type: "boolean" } }, ["email"]),
          },
          colorId: text("Colour", { pattern: "^([1-9]|1[01])$" }),
        },
        ["summary", "start", "end"],
      ),
    },
    valid: {
      summary: "Lunch",
      start: { dateTime: "2026-05-01T12:00:00Z", timeZone: "Europe/Zurich" },
      end: { date: "2026-05-01" },
      attendees: [{ email: "a.b@example.org", optional: true }],
      colorId: "11",
    },
    invalid: { summary: "Lunch", start: { date: "2026-05-01" }, end: { date: "May" } },
  },
  {
    name: "cloud: run_instances",
    schema: object(
      {
        region: { type: "string", enum: REGIONS },
        instanceType: { type: "string", enum: SIZES },
        imageId: text("Image", { pattern: "^ami-[0-9a-f]{8,17}$" }),
        count: { type: "integer", minimum: 1, maximum: 20, default: 1 },
        network: object({ subnet: { type: "string", format: "uuid" }, address: { type: "string", format: "ipv4" } }),
        tags: { type: "object", additionalProperties: { type: "string", maxLength: 255 } },
      },
      ["region", "instanceType", "imageId"],
    ),
    valid: { region: "eu-south-1", instanceType: "r6i.4xlarge", imageId: "ami-0123abcd", count: 20, tags: { a: "b" } },
    invalid: { region: "eu-south-1", instanceType: "r6i.metal", imageId: "ami-0123abcd" },
  },
];
