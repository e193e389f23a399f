import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../../deploy/monitoring", import.meta.url));

/** Paths of the files of a kind under deploy/monitoring. */
export const monitoringPaths = (folder: "rules" | "rules-tests" | "dashboards"): readonly string[] =>
  readdirSync(`${FOLDER}/${folder}`).map((name) => `${FOLDER}/${folder}/${name}`);

/** Texts of the rule files, by name. */
export const ruleTexts = (): Readonly<Record<string, string>> =>
  Object.fromEntries(monitoringPaths("rules").map((path) => [path.replace(/.*\//, ""), readFileSync(path, "utf8")]));

export interface NamedExpression {
  readonly where: string;
  readonly expr: string;
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}

/** The expressions of all panels, with Grafana's variables as `values` has them. */
export function dashboardExpressions(values: Readonly<Record<string, string>>): readonly NamedExpression[] {
  return monitoringPaths("dashboards").flatMap((path) => {
    const { title, panels } = JSON.parse(readFileSync(path, "utf8")) as Dashboard;
    return panels.flatMap((panel) =>
      (panel.targets ?? []).map(({ expr }) => ({ where: `${title}, ${panel.title}`, expr: filled(expr, values) })),
    );
  });
}

/** Throws for a variable without a value. */
export const filled = (expr: string, values: Readonly<Record<string, string>>): string =>
  expr.replaceAll(/\$(\w+)/g, (variable, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${expr}: there is no value for ${variable}`);
    return value;
  });
