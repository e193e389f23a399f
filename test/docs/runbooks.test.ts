import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(ROOT + path, "utf8");
const filesOf = (folder: string): readonly string[] => readdirSync(ROOT + folder);

const RULES = "deploy/monitoring/rules";
const rules = filesOf(RULES)
  .map((name) => read(`${RULES}/${name}`))
  .join("\n");
const alerts = [...rules.matchAll(/- alert: (\w+)[\s\S]*?runbook_url: (\S+)/g)].map(([, name = "", runbook = ""]) => ({
  name,
  runbook,
}));

it("every alert has a runbook, and every runbook an alert", () => {
  expect(alerts.length).toBeGreaterThan(20);
  for (const { name, runbook } of alerts) expect(existsSync(ROOT + runbook), `${name}: ${runbook}`).toBe(true);
  const pages = filesOf("docs/runbooks").filter((name) => name !== "README.md");
  const named = new Set(alerts.map(({ runbook }) => runbook.replace("docs/runbooks/", "")));
  expect(pages.filter((page) => !named.has(page))).toEqual([]);
});

it("every alert has a case in which it fires and one in which it does not", () => {
  const cases = filesOf("deploy/monitoring/rules-tests")
    .map((name) => read(`deploy/monitoring/rules-tests/${name}`))
    .join("\n");
  const without = alerts.filter(({ name }) => cases.split(`alertname: ${name}`).length < 2);
  expect(without).toEqual([]);
});

it("the alert of one model's pipeline silences no alert of another model", () => {
  const inhibitions = read("deploy/monitoring/alertmanager.yml").split("- source_matchers").slice(1);
  const byModel = inhibitions.filter((text) => /RhoneNoPipelineReady[\s\S]*(Token|QueueWaitsLong)/.test(text));
  expect(byModel).toHaveLength(1);
  expect(byModel[0]).toContain("equal: [model_name]");
});
